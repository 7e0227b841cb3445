"""The known picture: found in the checkpoint or drawn, and heard when something breaks."""

import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from safety_core.engine.canary import CANARY_FILE, write_canary
from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.errors import CheckpointError
from safety_core.model.checkpoint.checkpoint import SPEC_FILE, write_manifest
from safety_core.policy.policy import Decision


def red_picture() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (30, 30), "red").save(buffer, "PNG")
    return buffer.getvalue()


def with_provenance(source: Path, out: Path, canary: object) -> Path:
    """A copy of a checkpoint whose provenance says this of its canary, a picture beside it."""
    shutil.copytree(source, out)
    spec = json.loads((out / SPEC_FILE).read_text())
    spec["provenance"]["canary"] = canary
    (out / SPEC_FILE).write_text(json.dumps(spec))
    (out / CANARY_FILE).write_bytes(red_picture())
    write_manifest(out)
    return out


def test_a_drawn_canary_asks_for_steady_scores(guard: Guard) -> None:
    assert guard.check_canary() is None
    assert guard.check_canary() is None
    with torch.no_grad():
        for parameter in guard.model.safety.parameters():
            parameter.mul_(3.0)
    assert guard.check_canary() == "the canary's scores have changed since the start"


def test_a_canary_without_verdict_is_heard(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    with torch.no_grad():
        for parameter in guard.model.safety.parameters():
            parameter.fill_(float("nan"))
    assert guard.check_canary() == "the canary got no verdict"
    assert "no verdict" in caplog.text


def test_a_recorded_decision_is_held_against_the_checkpoints_own_policy(tiny_checkpoint: Path, tmp_path: Path) -> None:
    outcomes = set()
    for decision in Decision:
        path = shutil.copytree(tiny_checkpoint, tmp_path / decision.value)
        write_canary(path, red_picture(), prompt="What is it?", decision=decision)
        guard = load_guard(path, device="cpu")
        guard.policy = replace(guard.policy, enabled=frozenset())
        outcomes.add(guard.check_canary())
    assert None in outcomes
    assert len(outcomes) == 3


@pytest.mark.parametrize(
    "canary",
    [
        "canary.png",
        {"image": "canary.png"},
        {"image": "../canary.png", "prompt": "", "decision": "refused"},
        {"image": "missing.png", "prompt": "", "decision": "refused"},
        {"image": SPEC_FILE, "prompt": "", "decision": "refused"},
        {"image": "canary.png", "prompt": 3, "decision": "refused"},
        {"image": "canary.png", "prompt": "", "decision": "refuse"},
        {"image": "canary.png", "prompt": "", "decision": ["refused"]},
    ],
)
def test_a_malformed_canary_does_not_load(tiny_checkpoint: Path, tmp_path: Path, canary: object) -> None:
    path = with_provenance(tiny_checkpoint, tmp_path / "copy", canary)
    with pytest.raises(CheckpointError, match="canary"):
        load_guard(path, device="cpu")
