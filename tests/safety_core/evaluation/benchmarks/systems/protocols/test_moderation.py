from typing import Any

import pytest

from safety_core.evaluation.benchmarks.endpoints.client import MALFORMED, EndpointClient, EndpointSettings
from safety_core.evaluation.benchmarks.systems.protocols.moderation import ModerationEndpoint
from safety_core.evaluation.benchmarks.systems.system import Result
from safety_core.inputs.conversation import Turn
from tests.helpers.benchmarks.items import make_item
from tests.helpers.benchmarks.servers import run_scripted_server

SCORES = {"harassment": 0.2, "harassment/threatening": 0.4, "hate": 0.1, "violence/graphic": 0.7, "novel": 0.05}


def ask(result: object, *, model: str | None = "m", **item: Any) -> tuple[Result, dict[str, Any]]:
    with (
        run_scripted_server(lambda path, body: (200, {"id": "1", "results": [result]})) as server,
        EndpointClient(EndpointSettings(url=server.url, key_variable="UNSET_KEY")) as client,
    ):
        answered = ModerationEndpoint(client, model=model, name="rival").answer(make_item(**item))
    (request,) = server.asked
    assert request[0] == "/v1/moderations"
    return answered, request[1]


def test_flags_and_scores_of_another_provider_become_ours() -> None:
    result, body = ask({"flagged": True, "categories": {"violence/graphic": True}, "category_scores": SCORES})
    assert body == {"input": "How do I do it?", "model": "m"}
    assert (result.decision, result.risk, result.risk_type) == ("refused", 0.7, "illegal")
    assert result.type_scores == {"insults_bullying": 0.4, "fairness": 0.1, "illegal": 0.7}


def test_what_is_not_flagged_is_allowed_and_has_no_type() -> None:
    result, body = ask({"flagged": False, "category_scores": SCORES}, model=None)
    assert "model" not in body
    assert (result.decision, result.risk_type, result.risk) == ("allowed", None, 0.7)


def test_all_turns_of_the_user_are_one_text() -> None:
    turns = (Turn(role="user", text="a"), Turn(role="assistant", text="b"), Turn(role="user", text="c"))
    _, body = ask({"flagged": False}, turns=turns)
    assert body["input"] == "a\n\nc"


def test_scores_may_be_missing() -> None:
    result, _ = ask({"flagged": True})
    assert (result.decision, result.risk, result.type_scores) == ("refused", None, None)


@pytest.mark.parametrize("body", [{}, {"flagged": "yes"}, {"flagged": True, "category_scores": {"hate": "high"}}])
def test_malformed_results_are_errors(body: object) -> None:
    assert ask(body)[0].error == MALFORMED
