import json
from pathlib import Path

from PIL import Image

from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.command_line import run_command

ROOT = Path(__file__).parents[3]


def test_classify_prints_a_verdict(tiny_checkpoint: Path, tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    Image.new("RGB", (28, 28), "red").save(picture)
    found = json.loads(run_command("classify", picture, "--prompt", "What is it?", "--checkpoint", tiny_checkpoint))
    assert found["decision"] in ("allowed", "cautioned", "refused")
    assert set(found["risk"]["type_scores"]) == set(DEFAULT_TAXONOMY.types)
    assert len(found["images"]) == 1
    words = json.loads(run_command("classify", "--prompt", "Hello", "--checkpoint", tiny_checkpoint))
    assert words["images"] == []


def test_classify_refuses_what_it_cannot_judge(tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert "an image or a prompt is needed" in run_command("classify", "--checkpoint", tiny_checkpoint, code=2)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    assert "error: Only JPEG" in run_command("classify", bad, "--checkpoint", tiny_checkpoint, code=1)
    assert "cannot be read" in run_command("classify", tmp_path / "gone.png", "--checkpoint", tiny_checkpoint, code=1)
