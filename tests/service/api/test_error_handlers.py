"""Exceptions of a route: counted, sent in the form of the path's protocol, and delayed where they cost work."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from safety_core.errors import DeadlineError, ImageError, OverloadedError, PromptError
from service.api.error_handlers import handle_disconnect, handle_error, handle_http_exception
from service.endpoints import CHAT, COMPLETIONS, GUARDRAIL, Endpoint
from service.ingress.error_budget import BURST, MIN_OVERLOAD_DELAY_S, ErrorBudget
from service.telemetry.metrics import Metrics
from service.telemetry.request_record import RequestRecord

Handler = Callable[[Request, Exception], Awaitable[Response]]


class Bench:
    """Requests to one server, and the pauses before their errors are sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = SimpleNamespace(metrics=Metrics(), error_budget=ErrorBudget())
        self.pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)

        monkeypatch.setattr("service.ingress.error_budget.asyncio.sleep", sleep)

    def handle(
        self, exc: Exception, endpoint: Endpoint = CHAT, *, handler: Handler = handle_error, images: int = 0
    ) -> tuple[Response, RequestRecord]:
        record = RequestRecord(endpoint=endpoint.label, image_count=images)
        state = {"service": self.service, "endpoint": endpoint, "record": record}

        async def respond() -> Response:
            return await handler(Request({"type": "http", "headers": [], "state": state}), exc)

        return asyncio.run(respond()), record

    def count(self, reason: str) -> float:
        found: float | None = self.service.metrics.registry.get_sample_value(
            "safevlm_rejected_total", {"reason": reason}
        )
        return found or 0.0


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def body(response: Response) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(bytes(response.body))["error"]
    return error


def test_an_error_is_counted_recorded_and_sent(bench: Bench) -> None:
    response, record = bench.handle(PromptError("Too long.", code="prompt_too_long", param="prompt"))
    assert response.status_code == 400
    assert (body(response)["code"], body(response)["param"]) == ("prompt_too_long", "prompt")
    assert (record.error, bench.count("prompt_too_long")) == ("prompt_too_long", 1)


def test_a_field_has_the_name_that_it_has_on_the_path(bench: Bench) -> None:
    error = PromptError("Too long.", code="prompt_too_long", param="prompt")
    assert [body(bench.handle(error, one)[0])["param"] for one in (CHAT, GUARDRAIL, COMPLETIONS)] == [
        "prompt",
        "texts",
        "messages",
    ]


def test_on_openais_paths_errors_are_openais_and_the_log_keeps_ours(bench: Bench) -> None:
    error = ImageError("Too large.", code="image_format", param="image")
    own, _ = bench.handle(error)
    openai, record = bench.handle(error, COMPLETIONS)
    assert (own.status_code, body(own)["code"]) == (415, "image_format")
    assert (openai.status_code, body(openai)["code"]) == (400, "invalid_image_format")
    assert (record.error, bench.count("image_format")) == ("image_format", 2)


def test_a_want_of_memory_is_an_error_like_any_other(bench: Bench) -> None:
    response, _ = bench.handle(MemoryError("SECRET"))
    assert (response.status_code, body(response)["code"]) == (503, "out_of_memory")
    assert b"SECRET" not in bytes(response.body)


def test_an_error_keeps_no_frames_which_hold_the_body(bench: Bench) -> None:
    try:
        try:
            raise ValueError("cause")
        except ValueError as cause:
            raise DeadlineError("late") from cause
    except DeadlineError as exc:
        caught = exc
    response, _ = bench.handle(caught)
    assert response.headers["retry-after"] == "5"
    assert [caught.__traceback__, caught.__context__, caught.__cause__] == [None, None, None]


def test_errors_that_cost_work_are_delayed_once_a_client_has_used_its_burst(bench: Bench) -> None:
    error = ImageError("Broken.", code="image_corrupt")
    bench.handle(error, images=BURST)
    assert bench.pauses == []
    bench.handle(error)
    assert bench.pauses == [], "it cost nothing"
    bench.handle(error, images=8)
    assert len(bench.pauses) == 1


def test_every_rejection_for_overload_is_delayed_a_little(bench: Bench) -> None:
    response, _ = bench.handle(OverloadedError("full", retry_after_s=7.0))
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert bench.pauses == [MIN_OVERLOAD_DELAY_S]


def test_a_client_that_disconnects_pays_for_its_work(bench: Bench) -> None:
    bench.handle(ImageError("Broken.", code="image_corrupt"), images=BURST)
    response, record = bench.handle(ClientDisconnect(), handler=handle_disconnect, images=8)
    assert (response.status_code, bytes(response.body), record.error) == (499, b"", None)
    assert len(bench.pauses) == 1


def test_the_frameworks_errors_have_our_shape_and_their_headers(bench: Bench) -> None:
    exc = HTTPException(405, headers={"Allow": "POST"})
    response, record = bench.handle(exc, handler=handle_http_exception)
    assert (response.status_code, body(response)["code"]) == (405, "method_not_allowed")
    assert (response.headers["allow"], record.error) == ("POST", "method_not_allowed")
