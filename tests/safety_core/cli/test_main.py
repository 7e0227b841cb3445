import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from safety_core.cli.common import NANO_CHECKPOINT, SMALL_CHECKPOINT, find_checkpoint
from safety_core.cli.main import app
from safety_core.data.jsonl import write_jsonl
from tests.helpers.command_line import run_command, runner

ROOT = Path(__file__).parents[3]


COMMANDS = (
    "audit",
    "train",
    "evaluate",
    "calibrate",
    "classify",
    "convert",
    "data",
    "init",
    "nano",
    "policy",
    "verify",
)


def test_every_command_is_there() -> None:
    output = run_command("--help")
    assert all(command in output for command in COMMANDS)


LIGHT: tuple[tuple[tuple[str, ...], int], ...] = (
    (("--help",), 0),
    (("--version",), 0),
    *(((command, "--help"), 0) for command in (*COMMANDS, "audit-log")),
    (("policy", "check", "{policy}"), 0),
    (("policy", "check", "{gone}"), 1),
    (("policy", "check", "{policy}", "--checkpoint", "{gone}"), 1),
    (("audit-log", "{gone}"), 1),
    (("nano", "rules"), 0),
    (("convert", "folder", "{pictures}", "{out}"), 0),
    (("convert", "folder", "{gone}", "{out}"), 1),
    (("data", "import", "folder", "{pictures}", "{out}"), 0),
    (("data", "sets"), 0),
    (("train", "--config", "{gone}"), 1),
    (("train", "--out", "{out}"), 1),
    (("classify",), 2),
)
"""Commands that need no model, and their exit status."""


def test_commands_that_need_no_model_import_none(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "1.png")
    (tmp_path / "policy.yaml").write_text("thresholds:\n  privacy: {3: 0.25}\n", encoding="utf-8")
    places = {"policy": "policy.yaml", "gone": "gone", "pictures": "pictures", "out": "out.jsonl"}
    commands = [([argument.format(**places) for argument in command], code) for command, code in LIGHT]
    program = (
        "import json, sys; from typer.testing import CliRunner; from safety_core.cli.main import app\n"
        "for command, code in json.loads(sys.argv[1]):\n"
        "    result = CliRunner().invoke(app, command)\n"
        "    assert result.exit_code == code, (command, result.output)\n"
        "    heavy = {'torch', 'transformers', 'peft', 'fastapi'} & set(sys.modules)\n"
        "    assert not heavy, (command, heavy)\n"
    )
    # From a folder that holds none of the repository: the default checkpoint is found all the same.
    ran = subprocess.run(
        [sys.executable, "-c", program, json.dumps(commands)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("checkpoint", [NANO_CHECKPOINT, SMALL_CHECKPOINT])
def test_a_shipped_checkpoint_is_found_from_any_folder(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint(checkpoint) == ROOT / checkpoint
    assert find_checkpoint(Path("weights/mine")) == Path("weights/mine")
    (tmp_path / checkpoint).mkdir(parents=True)
    assert find_checkpoint(checkpoint) == checkpoint


def test_commands_use_the_checkpoint_for_real_words_unless_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / SMALL_CHECKPOINT).mkdir(parents=True)
    assert run_command("classify", "--prompt", "Hello", code=1).startswith("error: IntegrityError: ")
    named = ("--checkpoint", NANO_CHECKPOINT, "--device", "cpu")
    found = json.loads(run_command("classify", "--prompt", "Hello", *named))
    assert found["decision"] in ("allowed", "cautioned", "refused")


def test_missing_files_are_told_as_missing(tiny_checkpoint: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    gone, checkpoint = tmp_path / "gone", ("--checkpoint", tiny_checkpoint)
    train = ("train", "--backbone", tiny_checkpoint, "--out", tmp_path / "out", "--data")
    (tmp_path / "data.jsonl").write_text("", encoding="utf-8")
    commands: list[tuple[object, ...]] = [
        ("classify", gone, *checkpoint),
        ("classify", "--prompt", "Hi", "--policy", gone, *checkpoint),
        ("policy", "check", gone, *checkpoint),
        ("evaluate", "--suite", gone, *checkpoint),
        ("evaluate", "--suite", gone, "--bars", gone, *checkpoint),
        ("calibrate", "--data", gone, *checkpoint),
        ("init", tmp_path / "made", "--backbone", tiny_backbone, "--taxonomy", gone),
        ("init", tmp_path / "made", "--backbone", tiny_backbone, "--hints", gone),
        ("convert", "vlguard", tmp_path, tmp_path / "out.jsonl", "--labels", gone),
        ("convert", "vlguard", tmp_path, tmp_path / "out.jsonl", "--taxonomy", gone),
        (*train, gone),
        (*train, tmp_path / "data.jsonl", "--config", gone),
        ("audit-log", gone),
    ]
    before = sorted(tmp_path.rglob("*"))
    for command in commands:
        told = run_command(*command, code=1).splitlines()[-1]
        assert "there is no such file" in told, (command, told)
        assert "gone" in told
        assert sorted(tmp_path.rglob("*")) == before, command


def test_a_byte_order_mark_is_no_reason_to_fail(tiny_checkpoint: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    def marked(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        return tmp_path / name

    turns = [{"from": "USER", "value": "Hello"}, {"from": "ASSISTANT", "value": "Hi."}]
    record = {"id": "a", "image": None, "conversations": turns, "safe_type": 6, "safe_level": 0}
    data = marked("data.jsonl", json.dumps(record) + "\n")
    config = marked("config.yaml", "max_steps: 1\nbatch_size: 1\ngrad_accum: 1\ndevice: cpu\n")
    start = ("--backbone", tiny_checkpoint, "--out", tmp_path / "out")
    assert "1 steps" in run_command("train", *start, "--data", data, "--config", config, "--quiet")
    policy = marked("policy.yaml", "thresholds:\n  privacy: {3: 0.25}\n")
    assert "valid" in run_command("policy", "check", policy, "--checkpoint", tiny_checkpoint)
    taxonomy = marked("taxonomy.json", json.dumps({"types": ["safe", "bad"], "levels": ["none", "all"]}))
    run_command("init", tmp_path / "made", "--backbone", tiny_backbone, "--taxonomy", taxonomy)
    marked("xstest_prompts.csv", "id,type,prompt,focus,note\n1,homonyms,How do I kill a process?,,\n")
    assert "1 records" in run_command("convert", "xstest", tmp_path, tmp_path / "x.jsonl")


def test_what_fails_leaves_nothing_behind(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "xstest_prompts.csv").write_text("id,type,prompt\n1,homonyms,Why?\n2,homonyms,\n")
    turns = [{"from": "USER", "value": "Hello"}, {"from": "ASSISTANT", "value": "Hi."}]
    record = {"id": "a", "image": None, "conversations": turns, "safe_type": 6, "safe_level": 0}
    write_jsonl(tmp_path / "data.jsonl", [record])
    before = sorted(tmp_path.rglob("*"))
    run_command("convert", "xstest", tmp_path / "set", tmp_path / "new" / "out.jsonl", code=1)
    assert sorted(tmp_path.rglob("*")) == before
    command = ["train", "--backbone", tiny_checkpoint, "--data", tmp_path / "data.jsonl", "--out", tmp_path / "out"]
    command += ["--max-steps", "2", "--batch-size", "1", "--grad-accum", "1", "--device", "cpu", "--quiet"]
    run_command(*command, "--set", "lr=1e30", "--set", "log_steps=1", "--set", "clip=0", code=1)
    assert sorted(tmp_path.rglob("*")) == before
    monkeypatch.setattr("safety_core.training.losses.stage_loss.StageLoss.forward", interrupted)
    result = runner.invoke(app, [str(argument) for argument in command])
    assert result.exit_code != 0
    assert sorted(tmp_path.rglob("*")) == before


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_file_that_may_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "1.png").write_bytes(b"")
    told = run_command("data", "import", "folder", tmp_path, tmp_path / "file" / "out.jsonl", code=1)
    assert told.startswith("error: ")
    assert len(told.splitlines()) == 1


def test_the_version_is_the_packages() -> None:
    assert run_command("--version").strip() == "0.1.0"
