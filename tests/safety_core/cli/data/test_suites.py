import json
from pathlib import Path

from PIL import Image

from tests.helpers.command_line import run_command


def write_data(folder: Path) -> Path:
    Image.new("RGB", (40, 30), "red").save(folder / "a.png")
    records = [
        {"id": str(number), "image": "a.png", "conversations": [{"from": "USER", "value": f"what is {number}?"}]}
        | {"safe_type": kind, "safe_level": level, "source": "mine"}
        for number, (kind, level) in enumerate([(1, 3), (1, 1), (6, 0), (None, None)])
    ]
    file = folder / "mine.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def test_suite_counts_its_cells_and_refuses_unlabelled_rows(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    command = ("data", "suite", data, tmp_path / "suite", "--by", "source")
    assert "mine.jsonl:4: safe_type: the record has no label" in run_command(*command, code=1)
    output = run_command(*command, "--skip-bad")
    assert "3 pairs" in output
    assert [line.split() for line in output.splitlines()[1:]] == [
        ["illegal", "caution", "1"],
        ["illegal", "refuse", "1"],
        ["safe", "safe", "1"],
    ]
    assert "what is" not in output


def test_a_rubric_of_ones_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "rubric.json").write_text('{"refusal_prefixes": ["Nein"]}', encoding="utf-8")
    command = ("data", "suite", write_data(tmp_path), tmp_path / "suite", "--skip-bad", "--name", "meins")
    run_command(*command, "--rubric", tmp_path / "rubric.json")
    spec = json.loads((tmp_path / "suite" / "suite.json").read_text(encoding="utf-8"))
    assert (spec["name"], spec["rubric"]["refusal_prefixes"]) == ("meins", ["Nein"])


def test_evaluate_accepts_the_suite(tiny_checkpoint: Path, tmp_path: Path) -> None:
    run_command("data", "suite", write_data(tmp_path), tmp_path / "suite", "--skip-bad", "--max-new-tokens", 2)
    output = run_command(
        "evaluate", "--suite", tmp_path / "suite", "--checkpoint", tiny_checkpoint, "--quiet", "--resamples", 10
    )
    assert output.startswith("# mine: 3 pairs")
    assert "unsafe illegal refuse, %" in output
