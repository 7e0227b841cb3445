import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from safety_core.cli import app
from safety_core.data.samples import read_jsonl, write_jsonl
from safety_core.model.checkpoint import verify
from safety_core.taxonomy import DEFAULT_TAXONOMY

runner = CliRunner()

COMMANDS = ("train", "evaluate", "calibrate", "classify", "convert", "init", "nano", "policy", "verify")


def run(*arguments: object, code: int = 0) -> str:
    """What a command printed: its result, or its complaint where it failed."""
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.stderr if code else result.stdout


def test_every_command_is_there() -> None:
    output = run("--help")
    assert all(command in output for command in COMMANDS)


def test_help_imports_no_torch() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from safety_core.cli import app; "
        "assert CliRunner().invoke(app, ['train', '--help']).exit_code == 0; "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_version_is_the_packages() -> None:
    assert run("--version").strip() == "0.1.0"


def test_verify_tells_what_a_checkpoint_is(tiny_checkpoint: Path) -> None:
    output = run("verify", tiny_checkpoint)
    assert "sound" in output
    assert "trained" in output
    assert "insults_bullying" in output


def test_verify_names_the_damage(tiny_checkpoint: Path, tmp_path: Path) -> None:
    output = run("verify", tmp_path, code=1)
    assert output.startswith("error: IntegrityError: ")


def test_init_makes_an_untrained_checkpoint(tiny_backbone: Path, tmp_path: Path) -> None:
    taxonomy = tmp_path / "taxonomy.json"
    taxonomy.write_text(json.dumps({"types": ["safe", "odd", "bad"], "levels": ["none", "all"]}), encoding="utf-8")
    out = tmp_path / "made"
    output = run("init", out, "--backbone", tiny_backbone, "--taxonomy", taxonomy, "--set", "num_safety_tokens=3")
    assert "untrained" in output
    spec = verify(out).spec
    assert (spec.trained, spec.taxonomy.types, spec.config.num_safety_tokens) == (False, ("safe", "odd", "bad"), 3)
    assert "NOT TRAINED" in run("verify", out)
    assert "exists already" in run("init", out, "--backbone", tiny_backbone, code=1)


def test_init_knows_the_papers_shape(tiny_backbone: Path, tmp_path: Path) -> None:
    run("init", tmp_path / "paper", "--backbone", tiny_backbone, "--paper")
    config = verify(tmp_path / "paper").spec.config
    assert (config.num_safety_tokens, config.head.pooling) == (64, "first_token")


@pytest.mark.parametrize("change", ["head.shape=round", "num_safety_tokens=many", "nothing"])
def test_init_refuses_a_shape_that_does_not_exist(tiny_backbone: Path, tmp_path: Path, change: str) -> None:
    output = run("init", tmp_path / "out", "--backbone", tiny_backbone, "--set", change, code=1)
    assert output.startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_init_refuses_heads_that_do_not_divide_the_width(tiny_backbone: Path, tmp_path: Path) -> None:
    command = ("init", tmp_path / "out", "--backbone", tiny_backbone, "--paper", "--set", "head.num_heads=5")
    assert run(*command, code=1).startswith("error: config.head.num_heads: ")
    assert not (tmp_path / "out").exists()


def test_classify_prints_a_verdict(tiny_checkpoint: Path, tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    Image.new("RGB", (28, 28), "red").save(picture)
    found = json.loads(run("classify", picture, "--prompt", "What is it?", "--checkpoint", tiny_checkpoint))
    assert found["decision"] in ("allowed", "cautioned", "refused")
    assert set(found["risk"]["type_scores"]) == set(DEFAULT_TAXONOMY.types)
    assert len(found["images"]) == 1
    words = json.loads(run("classify", "--prompt", "Hello", "--checkpoint", tiny_checkpoint))
    assert words["images"] == []


def test_classify_refuses_what_it_cannot_judge(tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert "a picture or a prompt is needed" in run("classify", "--checkpoint", tiny_checkpoint, code=2)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    assert "error: Only JPEG" in run("classify", bad, "--checkpoint", tiny_checkpoint, code=1)
    assert "cannot be read" in run("classify", tmp_path / "gone.png", "--checkpoint", tiny_checkpoint, code=1)


def test_convert_writes_records(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "odd").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "odd" / "1.png")
    labels = tmp_path / "labels.json"
    labels.write_text('{"odd": ["privacy", 2]}', encoding="utf-8")
    output = run("convert", "folder", tmp_path / "pictures", tmp_path / "out.jsonl", "--labels", labels)
    assert "1 records (privacy 1)" in output
    (sample,) = read_jsonl(tmp_path / "out.jsonl", DEFAULT_TAXONOMY).samples
    assert sample.label.level == 2
    assert run("convert", "nothing", tmp_path, tmp_path / "o.jsonl", code=1).startswith("error: adapter")
    labels.write_text("{", encoding="utf-8")
    assert "JSON" in run("convert", "folder", tmp_path, tmp_path / "o.jsonl", "--labels", labels, code=1)


def test_train_runs_from_flags_and_a_file(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    turns = [{"from": "USER", "value": "Hello"}, {"from": "ASSISTANT", "value": "Hi."}]
    record = {"image": None, "conversations": turns, "safe_type": 6, "safe_level": 0}
    write_jsonl(data, [record | {"id": "a"}, {"id": "broken"}])
    config = tmp_path / "config.yaml"
    config.write_text("batch_size: 1\ngrad_accum: 1\nmax_steps: 9\n", encoding="utf-8")
    common = ["train", "--backbone", tiny_checkpoint, "--data", data, "--config", config, "--quiet"]
    common += ["--max-steps", 2, "--set", "log_steps=1", "--device", "cpu", "--out", tmp_path / "out"]
    assert "data.jsonl:2: conversations: the field is missing" in run(*common, code=1)
    output = run(*common, "--skip-bad", "--run-dir", tmp_path / "run")
    assert "2 steps over 1 samples" in output
    assert verify(tmp_path / "out").spec.trained
    assert run("train", "--out", tmp_path / "x", code=1) == "error: missing fields ['backbone', 'data']\n"
