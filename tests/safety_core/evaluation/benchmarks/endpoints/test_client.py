import time
from collections.abc import Callable
from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.endpoints.client import (
    MALFORMED,
    MAX_BYTES,
    MAX_FAILURES,
    TIMED_OUT,
    TOO_LARGE,
    UNREACHABLE,
    EndpointClient,
    EndpointSettings,
)
from tests.helpers.benchmarks.servers import Answer, run_scripted_server


def open_client(url: str, **changes: Any) -> EndpointClient:
    defaults: dict[str, Any] = {"key_variable": "TEST_KEY", "attempts": 3, "first_pause_s": 0.01, "timeout_s": 5.0}
    return EndpointClient(EndpointSettings(url=url, **{**defaults, **changes}))


def take_turns(*answers: Answer) -> Callable[[str, dict[str, Any]], Answer]:
    """Give each answer once; the last one for ever."""
    left = list(answers)
    return lambda path, body: left.pop(0) if len(left) > 1 else left[0]


def test_a_body_is_sent_with_the_key_and_json_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "secret")
    with run_scripted_server(lambda path, body: (200, {"got": body})) as server, open_client(server.url) as client:
        response = client.post("/moderations", {"input": "é"})
    assert response.data == {"got": {"input": "é"}}
    assert server.asked == [("/v1/moderations", {"input": "é"})]
    assert server.keys == ["Bearer secret"]
    assert response.seconds > 0


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_passing_failures_are_tried_again(status: int) -> None:
    answer = take_turns((status, {}), (status, b"<html>"), (200, {"ok": True}))
    with run_scripted_server(answer) as server, open_client(server.url) as client:
        assert client.post("/x", {}).data == {"ok": True}
    assert len(server.asked) == 3


def test_the_server_says_how_long_to_wait() -> None:
    answer = take_turns((429, {}, {"Retry-After": "0.3"}), (200, {}))
    started = time.perf_counter()
    with run_scripted_server(answer) as server, open_client(server.url) as client:
        assert client.post("/x", {}).problem is None
    assert time.perf_counter() - started >= 0.3


def test_attempts_are_bounded_and_the_last_problem_is_returned() -> None:
    with run_scripted_server(lambda path, body: (503, {})) as server, open_client(server.url) as client:
        assert client.post("/x", {}).problem == "http_503"
    assert len(server.asked) == 3


def test_a_rejected_item_is_not_sent_again_and_its_code_is_kept() -> None:
    body = {"error": {"code": "content_filter", "message": "secret words"}}
    with run_scripted_server(lambda path, request: (400, body)) as server, open_client(server.url) as client:
        assert client.post("/x", {}).problem == "http_400/content_filter"
        assert client.post("/x", {}).problem == "http_400/content_filter"
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_concerns_every_item_is_raised(status: int) -> None:
    with (
        run_scripted_server(lambda path, body: (status, {})) as server,
        open_client(server.url) as client,
        pytest.raises(ConfigError, match=str(status)),
    ):
        client.post("/x", {})


def test_a_server_that_is_gone_stops_the_run_after_a_few_items() -> None:
    client = open_client("http://127.0.0.1:9", attempts=1)
    for _ in range(MAX_FAILURES - 1):
        assert client.post("/x", {}).problem == UNREACHABLE
    with pytest.raises(ConfigError, match="in a row"):
        client.post("/x", {})


def test_a_served_item_in_between_counts_from_the_beginning() -> None:
    answers: list[Answer] = [(500, {}), (500, {}), (200, {}), (500, {}), (500, {}), (500, {}), (500, {})]
    with run_scripted_server(take_turns(*answers)) as server, open_client(server.url, attempts=1) as client:
        for _ in answers:
            client.post("/x", {})


def test_large_slow_and_malformed_responses_are_problems() -> None:
    def answer(path: str, body: dict[str, Any]) -> Answer:
        match path.rpartition("/")[2]:
            case "large":
                return 200, b"x" * (MAX_BYTES + 1)
            case "slow":
                time.sleep(1)
                return 200, {}
            case "list":
                return 200, []
            case _:
                return 200, b"not json"

    with run_scripted_server(answer) as server, open_client(server.url, timeout_s=0.3, attempts=1) as client:
        assert client.post("/large", {}).problem == TOO_LARGE
        assert client.post("/slow", {}).problem == TIMED_OUT
        assert client.post("/list", {}).problem == MALFORMED
        assert client.post("/words", {}).problem == MALFORMED


def test_redirections_are_not_followed() -> None:
    answer = take_turns((302, {}, {"Location": "http://127.0.0.1:9/"}))
    with run_scripted_server(answer) as server, open_client(server.url) as client:
        assert client.post("/x", {}).problem == "http_302"
    assert len(server.asked) == 1


def test_the_only_model_of_a_server_is_found() -> None:
    answer = take_turns((200, {"data": [{"id": "a"}]}), (200, {"data": [{"id": "a"}, {"id": "b"}]}))
    with run_scripted_server(answer) as server, open_client(server.url) as client:
        assert client.find_model() == "a"
        with pytest.raises(ConfigError, match="2 models"):
            client.find_model()
    assert [path for path, _ in server.asked] == ["/v1/models", "/v1/models"]
