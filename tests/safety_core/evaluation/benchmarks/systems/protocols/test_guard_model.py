import math
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.endpoints.client import EndpointClient, EndpointSettings
from safety_core.evaluation.benchmarks.systems.protocols.guard_model import UNREADABLE, GuardModelEndpoint, read_prompt
from safety_core.evaluation.benchmarks.systems.system import Result
from tests.helpers.benchmarks.items import make_item, make_picture
from tests.helpers.benchmarks.servers import Answer, ScriptedServer, make_completion, run_scripted_server


def ask(answer: Answer, *, count: int = 1, prompt: str | None = None, **item: Any) -> tuple[Result, ScriptedServer]:
    with (
        run_scripted_server(lambda path, body: answer) as server,
        EndpointClient(EndpointSettings(url=server.url, key_variable="UNSET_KEY", attempts=1)) as client,
    ):
        system = GuardModelEndpoint(client, model="guard", name="guard", prompt=prompt)
        for _ in range(count):
            result = system.answer(make_item(**item))
    return result, server


@pytest.mark.parametrize(
    ("text", "decision", "risk_type"),
    [
        ("safe", "allowed", None),
        ("\n\nsafe\n", "allowed", None),
        ("unsafe\nS10", "refused", "fairness"),
        ("unsafe\nS1,S7", "refused", "illegal"),
        ("Unsafe\ns7", "refused", None),
        ("unsafe", "refused", None),
        ("unsafe\nS99", "refused", None),
        (" unsafe S13", "refused", "politics"),
    ],
)
def test_verdicts_and_categories_are_parsed(text: str, decision: str, risk_type: str | None) -> None:
    result, _ = ask((200, make_completion(text)))
    assert (result.decision, result.risk_type, result.risk, result.reply) == (decision, risk_type, None, None)


@pytest.mark.parametrize("text", ["", "I can't say.", "safely", "The request is unsafe"])
def test_other_answers_are_errors(text: str) -> None:
    result, _ = ask((200, make_completion(text)))
    assert (result.decision, result.error) == (None, UNREADABLE)


def test_belief_comes_from_the_chances_of_the_first_token() -> None:
    body = make_completion("unsafe\nS1")
    tops = [("safe", 0.1), ("un", 0.6), ("unsafe", 0.1), (" other", 0.2)]
    body["choices"][0]["logprobs"] = {
        "content": [{"top_logprobs": [{"token": token, "logprob": math.log(p)} for token, p in tops]}]
    }
    result, server = ask((200, body))
    assert result.risk == pytest.approx(0.875)
    assert server.asked[0][1]["logprobs"] is True


def test_a_server_without_chances_is_asked_without_them_from_then_on() -> None:
    def reply(path: str, body: dict[str, Any]) -> Answer:
        return (400, {"error": {}}) if "logprobs" in body else (200, make_completion("safe"))

    with (
        run_scripted_server(reply) as server,
        EndpointClient(EndpointSettings(url=server.url, key_variable="UNSET_KEY")) as client,
    ):
        system = GuardModelEndpoint(client, model="guard", name="guard")
        assert [system.answer(make_item()).decision for _ in range(2)] == ["allowed", "allowed"]
    assert ["logprobs" in body for _, body in server.asked] == [True, False, False]


def test_a_prompt_of_ones_own_gets_the_conversation_and_the_pictures(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Is this safe?\n{conversation}\nAnswer safe or unsafe.", encoding="utf-8")
    answer = 200, make_completion("safe")
    _, server = ask(answer, prompt=read_prompt(file), picture=make_picture(tmp_path), text="Look {here}.")
    (message,) = server.asked[0][1]["messages"]
    assert [part["type"] for part in message["content"]] == ["image_url", "text"]
    assert message["content"][1]["text"] == "Is this safe?\nUser: Look {here}.\nAnswer safe or unsafe."


def test_a_prompt_needs_a_place_for_the_conversation(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Is this safe?", encoding="utf-8")
    with pytest.raises(ConfigError, match="conversation"):
        read_prompt(tmp_path / "prompt.txt")
