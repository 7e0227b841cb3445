"""A server of this project as each of the systems that it can be, over a real socket."""

from collections.abc import Callable
from pathlib import Path

import pytest

from safety_core.evaluation.benchmarks.endpoints.client import EndpointClient, EndpointSettings
from safety_core.evaluation.benchmarks.systems.protocols.chat import ChatEndpoint
from safety_core.evaluation.benchmarks.systems.protocols.moderation import ModerationEndpoint
from safety_core.evaluation.benchmarks.systems.system import Result, System
from safety_core.inputs.conversation import Turn
from safety_core.policy.policy import Decision
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.benchmarks.items import make_item, make_picture
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.threads import run_threaded_server

CreateSystem = Callable[[EndpointClient], System]


def chat(client: EndpointClient) -> System:
    return ChatEndpoint(client, model=client.find_model(), name="ours", max_tokens=16)


def moderate(client: EndpointClient) -> System:
    return ModerationEndpoint(client, model=None, name="ours")


def ask(create: CreateSystem, fake: FakeGuard, tmp_path: Path, **settings: object) -> list[Result]:
    """Ask about words, words with a picture, and a conversation."""
    turns = (Turn(role="user", text="a"), Turn(role="assistant", text="b"), Turn(role="user", text="c"))
    items = [make_item(), make_item(picture=make_picture(tmp_path)), make_item(turns=turns)]
    with (
        run_threaded_server(fake, **settings) as url,
        EndpointClient(EndpointSettings(url=url, key_variable="UNSET_KEY", attempts=1)) as client,
    ):
        system = create(client)
        return [system.answer(item) for item in items]


def test_chat_gives_replies_and_no_verdicts(tmp_path: Path) -> None:
    results = ask(chat, FakeGuard(), tmp_path)
    assert [(result.reply, result.decision, result.error) for result in results] == [
        ("It is a red apple.", None, None)
    ] * 3
    assert all(result.seconds is not None and result.seconds > 0 for result in results)


def test_a_refusal_is_a_reply(tmp_path: Path) -> None:
    for result in ask(chat, FakeGuard(decision=Decision.REFUSED), tmp_path):
        assert result.error is None
        assert result.reply == "I can't help with that request."


@pytest.mark.parametrize("decision", list(Decision))
def test_moderation_gives_our_own_verdict_with_all_scores(decision: Decision, tmp_path: Path) -> None:
    for result in ask(moderate, FakeGuard(decision=decision), tmp_path, expose_risk=True):
        assert result.error is None
        assert result.decision == decision.value
        assert result.reply is None
        assert result.type_scores is not None
        assert set(result.type_scores) == set(DEFAULT_TAXONOMY.types)
        assert result.level_scores is not None
        assert len(result.level_scores) == 4
        assert result.risk == (0.0 if decision is Decision.ALLOWED else 1.0)
        assert result.risk_type == (None if decision is Decision.ALLOWED else "politics")


def test_moderation_works_without_exposed_scores(tmp_path: Path) -> None:
    for result in ask(moderate, FakeGuard(decision=Decision.CAUTIONED), tmp_path, expose_risk=False):
        assert (result.error, result.decision, result.level_scores) == (None, "cautioned", None)


def test_an_item_that_the_server_rejects_has_its_code(tmp_path: Path) -> None:
    broken = make_item(picture=make_picture(tmp_path, b"no picture"))
    with (
        run_threaded_server(FakeGuard()) as url,
        EndpointClient(EndpointSettings(url=url, key_variable="UNSET_KEY", attempts=1)) as client,
    ):
        result = moderate(client).answer(broken)
    assert result.error is not None
    assert result.error.startswith("http_4")
    assert result.decision is None
