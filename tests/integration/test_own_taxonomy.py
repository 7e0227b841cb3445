"""A team's own policy, from its labels to its verdicts: train, serve and classify with three risk types."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from safety_core.data.jsonl import write_jsonl
from safety_core.training.config import TrainConfig
from safety_core.training.run import train
from service.app import create_app
from service.settings import Settings
from tests.helpers.images.encoding import encode_png
from tests.helpers.server.metrics import read_metric

TYPES = ("spam", "harm", "fine")
LEVELS = ("ok", "careful", "never")
LABELS = {"red": (1, 2), "yellow": (0, 1), "blue": (2, 0)}
"""Type and level of a picture of one colour."""

QUESTION = "What is it?"


def record(colour: str, copy: int) -> dict[str, Any]:
    kind, level = LABELS[colour]
    answer = "I cannot help with that." if level == 2 else f"It is {colour}."
    return {
        "id": f"{colour}-{copy}",
        "image": f"{colour}.png",
        "conversations": [{"from": "USER", "value": QUESTION}, {"from": "ASSISTANT", "value": answer}],
        "safe_type": kind,
        "safe_level": level,
        "image_risk": {"type": kind, "level": level},
        "text_risk": {"type": 2, "level": 0},
        "source": "test",
    }


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """Trained from the team's own records, by the same entry point as every other checkpoint."""
    folder = tmp_path_factory.mktemp("own")
    for colour in LABELS:
        (folder / f"{colour}.png").write_bytes(encode_png((28, 28), colour))
    write_jsonl(folder / "train.jsonl", [record(colour, copy) for colour in LABELS for copy in range(4)])
    (folder / "taxonomy.json").write_text(json.dumps({"types": TYPES, "levels": LEVELS, "safe_type": "fine"}))
    train(
        TrainConfig(
            backbone=str(tiny_backbone),
            taxonomy=str(folder / "taxonomy.json"),
            data=(str(folder / "train.jsonl"),),
            out=str(folder / "checkpoint"),
            train_parts="head",
            max_steps=60,
            batch_size=12,
            grad_accum=1,
            lr=1e-2,
            include_backbone=True,
            progress=False,
            device="cpu",
        )
    )
    return folder / "checkpoint"


def test_it_is_served_under_its_own_names(checkpoint: Path) -> None:
    decisions = {}
    with TestClient(create_app(Settings(checkpoint=checkpoint, device="cpu"))) as client:
        model = client.get("/v1/models").json()["data"][0]
        for colour in LABELS:
            files = [("image", ("a.png", encode_png((28, 28), colour)))]
            reply = client.post("/v1/classify", files=files, data={"prompt": QUESTION}).json()
            kind, level = LABELS[colour]
            assert set(reply["risk"]["type_scores"]) == set(TYPES)
            assert set(reply["risk"]["level_scores"]) == set(LEVELS)
            assert reply["risk"]["type"] == TYPES[kind]
            assert reply["risk"]["level"] == {"index": level, "name": LEVELS[level]}
            decisions[colour] = reply["decision"]
        chat = client.post(
            "/v1/chat", files=[("image", ("a.png", encode_png((28, 28), "red")))], data={"prompt": QUESTION}
        )
        exposition = client.get("/metrics").text
    assert (model["risk_types"], model["risk_levels"]) == (list(TYPES), list(LEVELS))
    assert decisions == {"red": "refused", "yellow": "cautioned", "blue": "allowed"}
    assert (chat.json()["content"], chat.json()["usage"]["completion_tokens"]) == (None, 0)
    assert read_metric(exposition, "safevlm_risk_total", type="harm", level="never") == 2
