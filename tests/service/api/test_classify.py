"""``/v1/classify`` from outside."""

import pytest

from safety_core.policy.policy import Decision
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_base64_png, encode_png
from tests.helpers.server.applications import open_client
from tests.helpers.server.metrics import read_metric

REPLY = {"id", "model", "flagged", "decision", "risk", "images", "images_received", "images_scanned", "timings"}


@pytest.mark.parametrize("decision", list(Decision))
def test_each_image_is_assessed(decision: Decision) -> None:
    with open_client(FakeGuard(decision=decision)) as client:
        reply = client.post(
            "/v1/classify", json={"prompt": "a", "images": [encode_base64_png(), encode_base64_png("blue")]}
        ).json()
    assert set(reply) == REPLY
    assert (reply["decision"], reply["flagged"]) == (decision.value, decision is not Decision.ALLOWED)
    assert (reply["images_received"], reply["images_scanned"], len(reply["images"])) == (2, 2, 2)
    assert set(reply["timings"]) == {"decode_ms", "queue_ms", "guard_ms"}
    assert reply["images"][0]["surfaces"]["joint"] is not None


def test_the_prompt_is_optional_and_so_is_the_image() -> None:
    with open_client(FakeGuard()) as client:
        alone = client.post("/v1/classify", files=[("image", ("a.png", encode_png()))]).json()
        words = client.post("/v1/classify", json={"prompt": "a"}).json()
        neither = client.post("/v1/classify", json={})
    assert alone["risk"]["surfaces"]["text"] is None
    assert words["images"] == []
    assert (neither.status_code, neither.json()["error"]["code"]) == (400, "input_empty")


def test_risk_can_be_hidden() -> None:
    with open_client(FakeGuard(), expose_risk=False) as client:
        reply = client.post("/v1/classify", json={"prompt": "a", "images": [encode_base64_png()]}).json()
    assert set(reply) == REPLY - {"risk", "images", "timings"}


def test_without_a_verdict_there_is_no_reply() -> None:
    with open_client(FakeGuard(decision=None)) as client:
        response = client.post("/v1/classify", json={"prompt": "a"})
        exposition = client.get("/metrics").text
    assert (response.status_code, response.json()["error"]["code"]) == (503, "no_verdict")
    assert read_metric(exposition, "safevlm_requests_total", endpoint="classify", decision="refused") == 1
    assert read_metric(exposition, "safevlm_rejected_total", reason="no_verdict") == 1
