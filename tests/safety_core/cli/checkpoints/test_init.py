import json
from pathlib import Path

import pytest

from safety_core.model.checkpoint.checkpoint import verify
from tests.helpers.command_line import run_command

ROOT = Path(__file__).parents[4]


def test_init_makes_an_untrained_checkpoint(tiny_backbone: Path, tmp_path: Path) -> None:
    taxonomy = tmp_path / "taxonomy.json"
    taxonomy.write_text(json.dumps({"types": ["safe", "odd", "bad"], "levels": ["none", "all"]}), encoding="utf-8")
    out = tmp_path / "made"
    output = run_command(
        "init", out, "--backbone", tiny_backbone, "--taxonomy", taxonomy, "--set", "num_safety_tokens=3"
    )
    assert "untrained" in output
    spec = verify(out).spec
    assert (spec.trained, spec.taxonomy.types, spec.config.num_safety_tokens) == (False, ("safe", "odd", "bad"), 3)
    assert "NOT TRAINED" in run_command("verify", out)
    assert "exists already" in run_command("init", out, "--backbone", tiny_backbone, code=1)


def test_init_knows_the_papers_shape(tiny_backbone: Path, tmp_path: Path) -> None:
    run_command("init", tmp_path / "paper", "--backbone", tiny_backbone, "--paper")
    config = verify(tmp_path / "paper").spec.config
    assert (config.num_safety_tokens, config.head.pooling) == (64, "first_token")


@pytest.mark.parametrize("change", ["head.shape=round", "num_safety_tokens=many", "nothing"])
def test_init_refuses_a_shape_that_does_not_exist(tiny_backbone: Path, tmp_path: Path, change: str) -> None:
    output = run_command("init", tmp_path / "out", "--backbone", tiny_backbone, "--set", change, code=1)
    assert output.startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_init_refuses_heads_that_do_not_divide_the_width(tiny_backbone: Path, tmp_path: Path) -> None:
    command = ("init", tmp_path / "out", "--backbone", tiny_backbone, "--paper", "--set", "head.num_heads=5")
    assert run_command(*command, code=1).startswith("error: config.head.num_heads: ")
    assert not (tmp_path / "out").exists()


def test_init_names_the_reader_to_train_for(tiny_backbone: Path, tmp_path: Path) -> None:
    run_command("init", tmp_path / "reading", "--backbone", tiny_backbone, "--reader", "rapidocr")
    assert verify(tmp_path / "reading").spec.reader == "rapidocr"
    output = run_command("init", tmp_path / "out", "--backbone", tiny_backbone, "--reader", "tesseract", code=1)
    assert output.startswith("error: reader: ")
