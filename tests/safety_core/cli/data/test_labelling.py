import csv
import json
from pathlib import Path
from typing import Any

from PIL import Image

from safety_core.cli.main import app
from safety_core.data.jsonl import read_jsonl
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.command_line import run_command, runner


def write_data(folder: Path) -> Path:
    Image.new("RGB", (40, 30), "red").save(folder / "a.png")
    records: list[dict[str, Any]] = [
        {"id": str(number), "image": image, "conversations": [{"from": "USER", "value": f"secret question {number}"}]}
        for number, image in enumerate(("a.png", None, None))
    ]
    records[2] |= {"safe_type": 6, "safe_level": 0}
    file = folder / "data.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def confirm_rows(sheet: Path, *answers: str) -> None:
    """Confirm rows as a person does with a spreadsheet."""
    with sheet.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        columns, rows = reader.fieldnames, list(reader)
    assert columns is not None
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        for row, answer in zip(rows, answers, strict=True):
            writer.writerow(row | {"confirmed": answer, "type": "privacy", "level": "caution"})


def test_labels_are_proposed_confirmed_and_merged(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data, sheet, out = write_data(tmp_path), tmp_path / "sheet.csv", tmp_path / "out.jsonl"
    command = ["data", "suggest", str(data), str(sheet), "--checkpoint", str(tiny_checkpoint), "--device", "cpu"]
    result = runner.invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "2 rows, of 2 records without a label" in result.stdout
    assert "1 records have a label already" in result.stdout
    assert "secret question" not in result.output
    assert "exists already" in run_command(*command, code=1)
    confirm_rows(sheet, "yes", "")
    output = run_command("data", "confirm", data, sheet, out)
    assert "2 records, 1 of them confirmed" in output
    assert "1 records without a confirmed label are left out" in output
    assert "secret question" not in output
    samples = read_jsonl(out, DEFAULT_TAXONOMY).samples
    assert sorted((sample.label.type, sample.label.level) for sample in samples) == [(4, 1), (6, 0)]


def test_confirm_warns_of_rows_that_belong_to_no_record(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("key,type,level,confirmed\nk0,privacy,1,yes\n", encoding="utf-8")
    arguments = [str(write_data(tmp_path)), str(sheet), str(tmp_path / "out.jsonl")]
    result = runner.invoke(app, ["data", "confirm", *arguments])
    assert result.exit_code == 0
    assert "1 confirmed rows belong to no record" in result.stderr
    sheet.write_text("key,type,level,confirmed\nk0,privacy,1,perhaps\n", encoding="utf-8")
    assert "sheet.csv:2: confirmed: yes or no is needed" in run_command("data", "confirm", *arguments, code=1)
