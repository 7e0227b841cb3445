"""The novelty of requests in replies, metrics and explanations, and what an operator's policy makes of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

from safety_core.engine.load import load_guard
from safety_core.model.modules.novelty import QUANTILES, FamiliarInputs, NoveltyDetector
from tests.helpers.images.encoding import encode_png
from tests.helpers.requests.judging_requests import CLASSIFY, COMPLETIONS, PLAYGROUND, build_options
from tests.helpers.server.applications import open_client
from tests.helpers.server.metrics import read_metric


def create_inputs(width: int, typical: float) -> FamiliarInputs:
    """Familiar inputs whose distances to zero are about ``typical``."""
    return FamiliarInputs(
        mean_D=torch.zeros(width),
        directions_DR=torch.eye(width)[:, :1],
        variance_R=torch.ones(1),
        other_variance=1.0,
        lengths_G=(1,),
        distances_GQ=np.linspace(0, typical, len(QUANTILES))[None],
        tail_G=np.full(1, typical / 100),
    )


@pytest.fixture(scope="module")
def detector() -> NoveltyDetector:
    """No text is familiar; every image is."""
    return NoveltyDetector(texts=create_inputs(32, 1e-3), images=create_inputs(24, 1e3))


def ask(client: TestClient, route: str, text: str = "Hello", *pictures: bytes) -> dict[str, Any]:
    answer = client.post(route, **build_options(route, text, *pictures, model="tiny"))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
def client(tiny_checkpoint: Path, detector: NoveltyDetector) -> Iterator[TestClient]:
    guard = load_guard(tiny_checkpoint, device="cpu")
    guard.model.novelty = detector
    with open_client(guard) as client:
        yield client


def test_every_reply_with_a_risk_has_it(client: TestClient) -> None:
    novelty = ask(client, CLASSIFY, "Hello", encode_png())["risk"]["novelty"]
    assert set(novelty) == {"score", "text", "image"}
    assert novelty["score"] == novelty["text"] > 0.99
    assert novelty["image"] < 0.5
    assert ask(client, CLASSIFY)["risk"]["novelty"]["image"] is None
    assert ask(client, COMPLETIONS)["safevlm"]["risk"]["novelty"]["text"] > 0.99
    assert "novelty" not in ask(client, CLASSIFY, "Hello", encode_png())["images"][0], "it is of the whole request"


def test_metrics_count_it_by_input(client: TestClient) -> None:
    ask(client, CLASSIFY, "Hello", encode_png())
    text = client.get("/metrics").text
    assert read_metric(text, "safevlm_novelty_count", input="text") == 1
    assert read_metric(text, "safevlm_novelty_bucket", input="text", le="0.99") == 0
    assert read_metric(text, "safevlm_novelty_bucket", input="image", le="0.5") == 1


@pytest.mark.parametrize(
    ("action", "decision"), [("allow", "allowed"), ("caution", "cautioned"), ("refuse", "refused")]
)
def test_an_operators_policy_decides_by_it(
    tiny_checkpoint: Path, detector: NoveltyDetector, tmp_path: Path, action: str, decision: str
) -> None:
    file = tmp_path / "policy.yaml"
    never = "{1: 2.0, 2: 2.0, 3: 2.0}"
    risks = ("politics", "illegal", "insults_bullying", "fairness", "privacy", "misleading")
    file.write_text(
        f"thresholds: {{{', '.join(f'{name}: {never}' for name in risks)}}}\n"
        f"novelty: {{threshold: 0.99, action: {action}}}\nfallback_refusal: I only know English.\n"
    )
    guard = load_guard(tiny_checkpoint, device="cpu")
    guard.model.novelty = detector
    with open_client(guard, policy=file) as client:
        body = ask(client, PLAYGROUND)
        assert body["decision"] == decision
        assert body["risk"]["level"]["index"] == 0
        why = body["why"]
        assert why["reason"] == (None if action == "allow" else "novel")
        assert why["novelty"] == {**why["novelty"], "threshold": 0.99, "reached": True, "action": action}
        assert why["refusal"] == ("I only know English." if action == "refuse" else None)


def test_a_checkpoint_that_does_not_measure_it_has_no_field(tiny_checkpoint: Path) -> None:
    with open_client(load_guard(tiny_checkpoint, device="cpu")) as client:
        body = ask(client, PLAYGROUND, "Hello", encode_png())
        assert "novelty" not in body["risk"]
        assert "novelty" not in body["why"]


def test_hidden_risk_hides_it(tiny_checkpoint: Path, detector: NoveltyDetector) -> None:
    guard = load_guard(tiny_checkpoint, device="cpu")
    guard.model.novelty = replace(detector)
    with open_client(guard, expose_risk=False) as client:
        assert "risk" not in ask(client, CLASSIFY)
        assert "safevlm_novelty_bucket" not in client.get("/metrics").text, "anyone on the machine can read these"
