"""The stages that the endpoints share; what they do together is tested with each endpoint."""

import asyncio
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from safety_core.engine.messages import Delta, Event
from safety_core.errors import GenerationError
from service.access.api_keys import ApiKey, compute_digest
from service.endpoints import CHAT, ENDPOINTS, Endpoint
from service.errors import INTERNAL, NotReadyError
from service.pipeline import await_reply, create_context, provide_context, record_stream_error
from service.telemetry.metrics import Metrics
from service.telemetry.request_record import RequestRecord
from tests.helpers.server.metrics import read_metric


def create_request(endpoint: Endpoint, *, key: ApiKey | None = None) -> Mock:
    """A request to a server that is not ready, as the middleware leaves it."""
    service = Mock(metrics=Metrics())
    service.readiness.require.side_effect = NotReadyError("the canary was refused")
    state = SimpleNamespace(service=service, endpoint=endpoint, record=RequestRecord(endpoint=endpoint.label))
    if key is not None:
        state.api_key = key
    return Mock(state=state)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_what_reaches_the_model_waits_until_the_server_is_ready(endpoint: Endpoint) -> None:
    request = create_request(endpoint)
    if endpoint.reaches_model:
        with pytest.raises(NotReadyError):
            asyncio.run(provide_context(request))
    else:
        assert asyncio.run(provide_context(request)).endpoint is endpoint


def test_a_context_has_the_key_if_one_is_required() -> None:
    assert create_context(create_request(CHAT)).key is None
    key = ApiKey(name="a", sha256=compute_digest("a"))
    assert create_context(create_request(CHAT, key=key)).key is key


def test_an_error_of_a_stream_is_counted_and_an_unexpected_one_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    context = create_context(create_request(CHAT))
    with caplog.at_level(logging.ERROR):
        body = record_stream_error(context, GenerationError("SECRET"))
    assert (body["error"]["code"], context.record.error, caplog.text) == ("generation_failed", "generation_failed", "")
    assert record_stream_error(context, ValueError("SECRET")) == INTERNAL.body
    assert "unexpected error: ValueError" in caplog.text
    assert "SECRET" not in caplog.text
    exposition = context.service.metrics.render_exposition()[0].decode()
    assert [
        read_metric(exposition, "safevlm_rejected_total", reason=code) for code in ("generation_failed", "internal")
    ] == [1, 1]


def test_a_stream_without_a_reply_is_a_fault_of_the_engine() -> None:
    async def stream() -> AsyncIterator[Event]:
        yield Delta(text="a piece")

    with pytest.raises(AssertionError, match="without a reply"):
        asyncio.run(await_reply(stream()))
