"""``/v1/chat`` from outside: shapes, streams, refusals and bad requests."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from typing import Any
from unittest.mock import Mock

import pytest

from safety_core.engine.messages import Delta, Event
from safety_core.errors import GenerationError
from safety_core.policy.policy import Decision
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from safety_core.taxonomy import Taxonomy
from service.api import chat
from service.api.responses import ResponseBuilder
from service.errors import INTERNAL
from service.telemetry.metrics import Metrics
from service.telemetry.request_record import RequestRecord
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.engine.requests import GUARD_REQUEST
from tests.helpers.images.encoding import encode_base64_png, encode_png
from tests.helpers.server.applications import open_client
from tests.helpers.server.events import parse_events
from tests.helpers.server.metrics import read_metric

REPLY = {
    "id", "model", "decision", "content", "refusal", "finish_reason", "risk", "images_received", "images_scanned",
    "usage", "timings",
}  # fmt: skip
RISK = {"type", "level", "type_scores", "level_scores", "surfaces"}


def multipart(*images: bytes, **fields: str) -> dict[str, Any]:
    return {"files": [("image", ("a.png", image)) for image in images] or None, "data": fields}


def test_json_and_multipart_say_the_same() -> None:
    with open_client(FakeGuard()) as client:
        replies = [
            client.post("/v1/chat", json={"prompt": "What?", "images": [encode_base64_png()]}).json(),
            client.post(
                "/v1/chat", json={"prompt": "What?", "images": [f"data:image/png;base64,{encode_base64_png()}"]}
            ).json(),
            client.post("/v1/chat", **multipart(encode_png(), prompt="What?")).json(),
        ]
    for reply in replies:
        assert set(reply) == REPLY
        assert re.fullmatch(r"guard-[0-9a-f]{32}", reply.pop("id"))
        assert set(reply.pop("timings")) == {"decode_ms", "queue_ms", "guard_ms", "generate_ms"}
    assert replies[0] == replies[1] == replies[2]
    reply = replies[0]
    assert (reply["model"], reply["decision"], reply["finish_reason"]) == ("fake", "allowed", "stop")
    assert (reply["content"], reply["refusal"]) == ("It is a red apple.", None)
    assert (reply["images_received"], reply["images_scanned"]) == (1, 1)
    assert reply["usage"] == {"prompt_tokens": 7, "completion_tokens": 3}
    assert set(reply["risk"]) == RISK
    assert reply["risk"]["level"] == {"index": 0, "name": "safe"}
    assert set(reply["risk"]["type_scores"]) == set(T.types)
    assert set(reply["risk"]["surfaces"]) == {"image", "text", "joint"}


def test_a_refusal_is_a_reply() -> None:
    with open_client(FakeGuard(decision=Decision.REFUSED)) as client:
        response = client.post("/v1/chat", **multipart(encode_png(), prompt="What?"))
    reply = response.json()
    assert response.status_code == 200
    assert (reply["decision"], reply["content"], reply["finish_reason"]) == ("refused", None, "content_filter")
    assert reply["refusal"]
    assert reply["usage"] == {"prompt_tokens": 0, "completion_tokens": 0}


def test_without_a_verdict_it_is_refused_without_scores() -> None:
    with open_client(FakeGuard(decision=None)) as client:
        reply = client.post("/v1/chat", **multipart(encode_png(), prompt="What?")).json()
        exposition = client.get("/metrics").text
    assert (reply["decision"], reply["content"], reply["images_scanned"]) == ("refused", None, 0)
    assert "risk" not in reply
    assert read_metric(exposition, "safevlm_rejected_total", reason="no_verdict") == 1


def test_a_stream_is_verdict_pieces_and_the_full_reply() -> None:
    with open_client(FakeGuard(decision=Decision.CAUTIONED)) as client:
        plain = client.post("/v1/chat", json={"prompt": "What?"}).json()
        response = client.post("/v1/chat", json={"prompt": "What?", "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    first, *pieces, last = parse_events(response.text)
    assert first[0] == "assessment"
    assert set(first[1]) == {"id", "decision", "risk"}
    assert [name for name, _ in pieces] == ["delta"] * 3
    assert "".join(data["content"] for _, data in pieces) == plain["content"]
    assert last[0] == "done"
    assert first[1]["id"] == last[1]["id"]
    assert {**last[1], "id": 0, "timings": 0} == {**plain, "id": 0, "timings": 0}


def test_a_streamed_refusal_is_a_refusal() -> None:
    with open_client(FakeGuard(decision=Decision.REFUSED)) as client:
        found = parse_events(client.post("/v1/chat", **multipart(encode_png(), prompt="What?", stream="true")).text)
    assert [name for name, _ in found] == ["assessment", "delta", "done"]
    assert found[1][1] == {"refusal": found[2][1]["refusal"]}


def test_a_failure_after_the_verdict_is_an_error_event_or_503(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeGuard(late_failure=GenerationError("SECRET"))
    with caplog.at_level("INFO"), open_client(fake) as client:
        found = parse_events(client.post("/v1/chat", json={"prompt": "What?", "stream": True}).text)
        plain = client.post("/v1/chat", json={"prompt": "What?"})
        exposition = client.get("/metrics").text
    assert [name for name, _ in found] == ["assessment", "delta", "error"]
    assert found[2][1]["error"]["code"] == "generation_failed"
    assert (plain.status_code, plain.json()) == (503, found[2][1])
    assert "SECRET" not in plain.text
    assert read_metric(exposition, "safevlm_rejected_total", reason="generation_failed") == 2
    lines = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert [line["error"] for line in lines] == ["generation_failed"] * 2


def test_an_unforeseen_failure_after_the_verdict_is_an_error_event_that_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with open_client(FakeGuard(late_failure=RuntimeError("SECRET"))) as client:
        found = parse_events(client.post("/v1/chat", json={"prompt": "SECRET", "stream": True}).text)
        exposition = client.get("/metrics").text
    assert [name for name, _ in found] == ["assessment", "delta", "error"]
    assert found[2][1] == INTERNAL.body
    assert read_metric(exposition, "safevlm_rejected_total", reason="internal") == 1
    assert "unexpected error: RuntimeError" in caplog.text
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(("interruption", "told"), [(asyncio.CancelledError(), False), (ValueError("SECRET"), True)])
def test_a_stream_tells_of_any_failure_but_its_own_cancellation(interruption: BaseException, told: bool) -> None:
    async def engine() -> AsyncGenerator[Event, None]:
        yield Delta(text="a piece")
        raise interruption

    async def scenario() -> None:
        verdict = FakeGuard().assess(GUARD_REQUEST)
        record = RequestRecord(endpoint="chat")
        responses = ResponseBuilder(model="fake", expose_risk=True, record=record)
        metrics = Metrics()
        context = Mock(service=Mock(metrics=metrics), record=record)
        stream = chat._stream(context, responses, verdict, engine())
        names: list[str] = []
        with nullcontext() if told else pytest.raises(asyncio.CancelledError):
            async for event in stream:
                names.append(parse_events(event)[0][0])
        assert names == ["assessment", "delta", *(["error"] if told else [])]
        assert read_metric(metrics.render_exposition()[0].decode(), "safevlm_rejected_total", reason="internal") == int(
            told
        )

    asyncio.run(scenario())


def test_options_reach_the_guard() -> None:
    fake = FakeGuard()
    with open_client(fake, max_tokens=50, default_max_tokens=20) as client:
        client.post("/v1/chat", json={"prompt": "a"})
        client.post(
            "/v1/chat",
            **multipart(
                encode_png(),
                encode_png(),
                prompt="b",
                max_tokens="50",
                temperature="0.5",
                top_p="0.9",
                seed="7",
                explain="true",
            ),
        )
    plain, full = fake.requests
    assert (plain.max_tokens, plain.temperature, plain.top_p, plain.seed, plain.heatmap) == (20, 0.0, 1.0, None, False)  # type: ignore[attr-defined]
    assert (full.max_tokens, full.temperature, full.top_p, full.seed, full.heatmap) == (50, 0.5, 0.9, 7, True)  # type: ignore[attr-defined]
    assert [turn.text for turn in full.turns] == ["b"]
    assert len(full.images) == 2


def test_explain_adds_heatmaps() -> None:
    with open_client(FakeGuard()) as client:
        reply = client.post("/v1/chat", **multipart(encode_png(), prompt="What?", explain="true")).json()
    assert set(reply["risk"]) == RISK | {"heatmap"}
    assert base64.b64decode(reply["risk"]["heatmap"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_risk_can_be_hidden() -> None:
    with open_client(FakeGuard(decision=Decision.REFUSED), expose_risk=False) as client:
        plain = client.post("/v1/chat", **multipart(encode_png(), prompt="What?", explain="true")).json()
        streamed = client.post("/v1/chat", json={"prompt": "What?", "stream": True}).text
    assert set(plain) == REPLY - {"risk", "timings"}
    for hidden in ("risk", "scores", "_ms"):
        assert hidden not in streamed


def test_a_clients_own_taxonomy_is_told_by_its_names() -> None:
    taxonomy = Taxonomy(types=("spam", "harm", "fine"), levels=("ok", "hmm", "no"), safe_type="fine")
    with open_client(FakeGuard(decision=Decision.REFUSED, taxonomy=taxonomy)) as client:
        risk = client.post("/v1/chat", json={"prompt": "What?"}).json()["risk"]
    assert set(risk["type_scores"]) == {"spam", "harm", "fine"}
    assert risk["level"] == {"index": 2, "name": "no"}


@pytest.mark.parametrize(
    ("request_", "status", "code", "param"),
    [
        ({"json": {}}, 400, "prompt_empty", "prompt"),
        ({"json": {"prompt": " "}}, 400, "prompt_empty", "prompt"),
        ({"json": {"prompt": "a", "images": ["SECRET!"]}}, 400, "image_encoding", "images.0"),
        ({"json": {"prompt": "a", "images": ["https://example.org/SECRET.png"]}}, 400, "image_url", "images.0"),
        ({"json": {"prompt": "a", "images": [""]}}, 400, "image_empty", "images.0"),
        ({"json": {"prompt": "a", "images": [base64.b64encode(b"SECRET").decode()]}}, 415, "image_format", "images.0"),
        ({"json": {"prompt": "a", "images": [encode_base64_png()] * 4}}, 400, "too_many_images", "images.3"),
        ({"json": {"prompt": "a", "max_tokens": 601}}, 400, "max_tokens_too_large", "max_tokens"),
        ({"json": {"prompt": "a", "max_tokens": 0}}, 422, "invalid_field", "max_tokens"),
        ({"json": {"prompt": "a", "SECRET": 1}}, 422, "unknown_field", None),
        ({"json": {"prompt": "a", "inputs_embeds": [[0.5]]}}, 422, "unknown_field", None),
        ({"json": {"prompt": "a", "top_p": 0}}, 422, "invalid_field", "top_p"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "body_malformed", None),
        (
            {"content": b"\x80\x04SECRET", "headers": {"content-type": "application/x-pickle"}},
            415,
            "content_type",
            None,
        ),
        (
            {"content": b"a=b", "headers": {"content-type": "application/x-www-form-urlencoded"}},
            415,
            "content_type",
            None,
        ),
        ({"content": b"hello"}, 415, "content_type", None),
        (multipart(encode_png()[:40], prompt="a"), 400, "image_corrupt", "image"),
        (multipart(b"", prompt="a"), 400, "image_empty", "image"),
        (multipart(encode_png(), prompt="a", SECRET="b"), 422, "unknown_field", None),
        (multipart(encode_png(), prompt="a", temperature="SECRET"), 422, "invalid_field", "temperature"),
        ({"files": [("SECRET", ("a", encode_png()))], "data": {"prompt": "a"}}, 422, "unknown_field", None),
        ({"files": [("prompt", ("a", b"a"))]}, 422, "unknown_field", None),
        ({"files": [("other", ("a", b"a"))], "data": {"image": "SECRET"}}, 422, "unknown_field", None),
        ({"files": [("image", (None, "SECRET"))], "data": {"prompt": "a"}}, 422, "invalid_field", "image"),
    ],
)
def test_bad_requests_get_typed_errors_that_quote_nothing(
    request_: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    fake = FakeGuard()
    with open_client(fake, max_images=3) as client:
        response = client.post("/v1/chat", **request_)
        exposition = client.get("/metrics").text
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")
    assert "SECRET" not in response.text
    assert fake.requests == []
    assert read_metric(exposition, "safevlm_rejected_total", reason=code) == 1


def test_a_body_beyond_the_limit_is_413() -> None:
    with open_client(FakeGuard(), max_body_bytes=2000) as client:
        for kind in ({"json": {"prompt": "a" * 3000}}, multipart(b"x" * 3000, prompt="a")):
            response = client.post("/v1/chat", **kind)
            assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")
