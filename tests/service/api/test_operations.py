"""Health, readiness, metrics, models and docs from outside."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from safety_core import __version__
from safety_core.engine.guard_info import Fallback
from safety_core.errors import GenerationError
from safety_core.policy.policy import Decision
from service.access.api_keys import Scope, format_key_entry
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png
from tests.helpers.server.applications import open_client
from tests.helpers.server.events import parse_events
from tests.helpers.server.keys import CHAT_KEY, KEY_FILE, build_bearer_header
from tests.helpers.server.keys import METRICS_KEY as SCRAPE
from tests.helpers.server.metrics import read_metric

METRICS = {
    "safevlm_requests_total", "safevlm_stage_seconds", "safevlm_time_to_first_token_seconds", "safevlm_risk_total",
    "safevlm_queue_depth", "safevlm_batch_size", "safevlm_in_flight", "safevlm_tokens_total",
    "safevlm_rejected_total", "safevlm_model_info", "safevlm_verdict_cache_total", "safevlm_worker_deaths_total",
}  # fmt: skip


def test_healthy_and_ready() -> None:
    with open_client(FakeGuard()) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("fake", [FakeGuard(wrong="the canary was allowed"), FakeGuard(failure=RuntimeError("SECRET"))])
def test_a_failing_canary_stops_all_judging(fake: FakeGuard, caplog: pytest.LogCaptureFixture) -> None:
    with open_client(fake) as client:
        for response in (
            client.get("/readyz"),
            client.post("/v1/chat", json={"prompt": "a"}),
            client.post("/v1/classify", json={"prompt": "a"}),
        ):
            assert (response.status_code, response.json()["error"]["code"]) == (503, "not_ready")
            assert response.headers["retry-after"] == "5"
        assert client.get("/healthz").status_code == 200
    assert (fake.wrong or "RuntimeError") in caplog.text
    assert "SECRET" not in caplog.text
    assert fake.requests == []


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, ("safe", "safe")),
        ({"expose_risk": False}, ("hidden", "hidden")),
        (
            {"expose_risk": False, "api_keys": format_key_entry("any", "any", [Scope.METRICS, Scope.CLASSIFY])},
            ("safe", "safe"),
        ),
    ],
)
def test_who_may_not_know_risks_does_not_count_them(settings: dict[str, Any], shown: tuple[str, str]) -> None:
    with open_client(FakeGuard(), **settings) as client:
        client.post("/v1/classify", json={"prompt": "a"}, headers={"authorization": "Bearer any"})
        text = client.get("/metrics", headers={"authorization": "Bearer any"}).text
    assert read_metric(text, "safevlm_risk_total", type=shown[0], level=shown[1]) == 1
    assert text.count("\nsafevlm_risk_total{") == 1


def test_metrics_have_their_names_and_count() -> None:
    with open_client(FakeGuard()) as client:
        client.post("/v1/chat", data={"prompt": "a"}, files=[("image", ("a.png", encode_png()))])
        client.post("/v1/chat", json={})
        client.post("/v1/classify", json={"prompt": "a"})
        response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    text = response.text
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert families >= METRICS
    assert read_metric(text, "safevlm_requests_total", endpoint="chat", decision="allowed") == 1
    assert read_metric(text, "safevlm_requests_total", endpoint="classify", decision="allowed") == 1
    for stage in ("decode", "queue", "guard", "generate"):
        assert read_metric(text, "safevlm_stage_seconds_count", endpoint="chat", stage=stage) == 1
    assert read_metric(text, "safevlm_time_to_first_token_seconds_count") == 1
    assert read_metric(text, "safevlm_risk_total", type="safe", level="safe") == 2
    assert read_metric(text, "safevlm_tokens_total", kind="prompt") == 7
    assert read_metric(text, "safevlm_tokens_total", kind="completion") == 4
    assert read_metric(text, "safevlm_batch_size_count", queue="guard") == 3, "the canary's is one of them"
    assert read_metric(text, "safevlm_batch_size_count", queue="generate") == 3
    for queue in ("decode", "guard", "generate"):
        assert f'safevlm_queue_depth{{queue="{queue}"}} 0.0' in text
    assert read_metric(text, "safevlm_verdict_cache_total", outcome="miss") == 2
    assert read_metric(text, "safevlm_worker_deaths_total") == 0
    assert read_metric(text, "safevlm_in_flight", endpoint="chat") == 0
    assert read_metric(text, "safevlm_rejected_total", reason="prompt_empty") == 1
    info = {"checkpoint": "fake", "backbone": "included", "device": "cpu", "dtype": "float32"}
    assert read_metric(text, "safevlm_model_info", **info) == 1


def test_the_process_the_build_and_whole_exchanges_are_counted() -> None:
    with open_client(FakeGuard(), api_keys=KEY_FILE) as client:
        assert client.post("/v1/chat", json={"prompt": "a"}, headers=build_bearer_header(CHAT_KEY)).status_code == 200
        assert client.post("/v1/chat", json={"prompt": "a"}).status_code == 401
        assert client.get("/nowhere", headers=build_bearer_header(CHAT_KEY)).status_code == 404
        assert client.get("/v1/chat", headers=build_bearer_header(CHAT_KEY)).status_code == 405
        assert client.get("/readyz").status_code == 200
        text = client.get("/metrics", headers=build_bearer_header(SCRAPE)).text
    assert read_metric(text, "process_resident_memory_bytes") > 0
    assert read_metric(text, "process_open_fds") > 0
    assert read_metric(text, "safevlm_build_info", version=__version__) == 1
    for endpoint, status in (("chat", "200"), ("chat", "401"), ("other", "404"), ("chat", "405"), ("readyz", "200")):
        assert read_metric(text, "safevlm_http_requests_total", endpoint=endpoint, status=status) == 1
    assert read_metric(text, "safevlm_request_duration_seconds_count", endpoint="chat", status="2xx") == 1
    assert read_metric(text, "safevlm_request_duration_seconds_count", endpoint="chat", status="4xx") == 2
    for reason in ("invalid_api_key", "not_found", "method_not_allowed"):
        assert read_metric(text, "safevlm_rejected_total", reason=reason) == 1


def test_a_known_verdict_is_no_pass_of_the_model() -> None:
    with open_client(FakeGuard()) as client:
        for _ in range(3):
            client.post("/v1/classify", json={"prompt": "a"})
        text = client.get("/metrics").text
    assert read_metric(text, "safevlm_verdict_cache_total", outcome="hit") == 2
    assert read_metric(text, "safevlm_requests_total", endpoint="classify", decision="allowed") == 3
    assert read_metric(text, "safevlm_stage_seconds_count", endpoint="classify", stage="guard") == 1


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/v1/models", "/metrics", "/playground", "/openapi.json", "/docs"]
)
def test_head_says_what_get_says_without_saying_it(path: str) -> None:
    with open_client(FakeGuard()) as client:
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
        assert client.head("/v1/chat").status_code == 405
        assert client.head("/nowhere").status_code == 404


def test_refusals_make_no_first_token() -> None:
    with open_client(FakeGuard(decision=Decision.REFUSED)) as client:
        client.post("/v1/chat", json={"prompt": "a"})
        text = client.get("/metrics").text
    assert read_metric(text, "safevlm_time_to_first_token_seconds_count") == 0
    assert read_metric(text, "safevlm_tokens_total", kind="completion") == 0
    assert read_metric(text, "safevlm_stage_seconds_count", endpoint="chat", stage="generate") == 0


def test_models_and_docs() -> None:
    with open_client(FakeGuard()) as client:
        models = client.get("/v1/models").json()
        schema = client.get("/openapi.json").json()
        assert client.get("/docs").status_code == 200
    assert [model["id"] for model in models["data"]] == ["fake"]
    assert models["data"][0]["risk_levels"] == ["safe", "caution", "may_refuse", "refuse"]
    for path in ("/v1/chat", "/v1/classify"):
        operation = schema["paths"][path]["post"]
        assert set(operation["requestBody"]["content"]) == {"multipart/form-data", "application/json"}
        assert set(operation["responses"]) == {"200", "400", "403", "408", "413", "415", "422", "429", "500", "503"}
    assert "risk" in schema["components"]["schemas"]["ChatReply"]["properties"]


def test_a_model_has_a_date_and_can_be_asked_for_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "safevlm.json").touch()
    os.utime(tmp_path / "safevlm.json", (0, 1_700_000_000))
    with open_client(FakeGuard(), checkpoint=tmp_path) as client:
        (listed,) = client.get("/v1/models").json()["data"]
        assert listed["created"] == 1_700_000_000
        assert client.get("/v1/models/fake").json() == listed
        for other in ("gpt-4o", "a/b", "fake/", "fake%2F..", ""):
            response = client.get(f"/v1/models/{other}")
            assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    with open_client(FakeGuard(), checkpoint=tmp_path / "nowhere") as client:
        assert client.get("/v1/models/fake").json()["created"] == 0


def test_a_fallback_is_named_wherever_the_model_is(tmp_path: Path) -> None:
    for name, time in (("wanted", 1_600_000_000), ("fake", 1_700_000_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "safevlm.json").touch()
        os.utime(tmp_path / name / "safevlm.json", (0, time))
    fake = FakeGuard(fallback=Fallback(wanted="wanted", reason="Never fetched."))
    with open_client(fake, checkpoint=tmp_path / "wanted", fallback_checkpoint=tmp_path / "fake") as client:
        expected = {"wanted": "wanted", "reason": "Never fetched."}
        assert client.get("/readyz").json() == {"status": "ready", "fallback": expected}
        (listed,) = client.get("/v1/models").json()["data"]
        assert (listed["id"], listed["created"], listed["fallback"]) == ("fake", 1_700_000_000, expected)
        assert client.get("/v1/models/fake").json() == listed
        assert client.get("/v1/models/wanted").json()["error"]["code"] == "model_not_found"
        assert client.get("/playground/about").json()["fallback"] == expected
        assert client.post("/v1/classify", json={"prompt": "a"}).json()["model"] == "fake"
        text = client.get("/metrics").text
    info = {"backbone": "included", "device": "cpu", "dtype": "float32"}
    assert read_metric(text, "safevlm_model_info", checkpoint="fake", **info) == 1
    assert 'checkpoint="wanted"' not in text
    with open_client(FakeGuard(), checkpoint=tmp_path / "wanted", fallback_checkpoint=tmp_path / "fake") as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        (listed,) = client.get("/v1/models").json()["data"]
        assert listed["created"] == 1_600_000_000
        assert "fallback" not in listed
        assert client.get("/playground/about").json()["fallback"] is None


def test_docs_describe_the_events_of_a_stream() -> None:
    with open_client(FakeGuard(late_failure=GenerationError("broken"))) as client:
        schema = client.get("/openapi.json").json()
        failed = parse_events(client.post("/v1/chat", json={"prompt": "a", "stream": True}).text)
    with open_client(FakeGuard(decision=Decision.REFUSED)) as client:
        refused = parse_events(client.post("/v1/chat", json={"prompt": "a", "stream": True}).text)
    content = schema["paths"]["/v1/chat"]["post"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/ChatReply"}
    described = {one["title"]: one["properties"] for one in content["text/event-stream"]["schema"]["oneOf"]}
    assert set(described) == {"assessment", "delta", "done", "error"}
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(content)):
        assert reference in schema["components"]["schemas"]
    for name, data in failed + refused:
        assert described[name]["event"] == {"const": name}
        shape = described[name]["data"]["contentSchema"]
        fields = schema["components"]["schemas"][shape["$ref"].split("/")[-1]] if "$ref" in shape else shape
        assert set(data) <= set(fields["properties"])
    assert "text/event-stream" not in schema["paths"]["/v1/classify"]["post"]["responses"]["200"]["content"]


def test_unknown_paths_and_methods_have_the_shape() -> None:
    with open_client(FakeGuard()) as client:
        for response, code in ((client.get("/SECRET"), "not_found"), (client.get("/v1/chat"), "method_not_allowed")):
            assert response.json()["error"]["code"] == code
            assert "SECRET" not in response.text


@pytest.mark.parametrize("path", ["/v1/chat/", "/v1/classify/", "/healthz/"])
def test_a_slash_too_many_is_no_redirect_that_echoes_the_query(path: str) -> None:
    with open_client(FakeGuard()) as client:
        response = client.request("GET" if "z" in path else "POST", f"{path}?q=SECRET", follow_redirects=False)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    assert "SECRET" not in f"{response.text}{response.headers}"


def test_the_timings_of_a_reply_are_those_of_the_metrics() -> None:
    fake = FakeGuard()
    picture = [("image", ("a.png", encode_png()))]
    with open_client(fake) as client:
        chat = client.post("/v1/chat", data={"prompt": "a"}, files=picture).json()["timings"]
        classified = client.post("/v1/classify", data={"prompt": "b"}, files=picture).json()["timings"]
        text = client.get("/metrics").text
    for endpoint, timings in (("chat", chat), ("classify", classified)):
        for stage in ("decode", "queue", "guard", *(["generate"] if endpoint == "chat" else [])):
            seconds = read_metric(text, "safevlm_stage_seconds_sum", endpoint=endpoint, stage=stage)
            assert 1000 * seconds == pytest.approx(timings[f"{stage}_ms"], abs=0.001)
            assert read_metric(text, "safevlm_stage_seconds_count", endpoint=endpoint, stage=stage) == 1
