from pathlib import Path

from PIL import Image

from safety_core.cli.main import app
from safety_core.data.jsonl import read_jsonl
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.command_line import run_command, runner

ROOT = Path(__file__).parents[3]


def test_convert_writes_records(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "odd").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "odd" / "1.png")
    labels = tmp_path / "labels.json"
    labels.write_text('{"odd": ["privacy", 2]}', encoding="utf-8")
    output = run_command("convert", "folder", tmp_path / "pictures", tmp_path / "out.jsonl", "--labels", labels)
    assert "1 records (privacy 1)" in output
    (sample,) = read_jsonl(tmp_path / "out.jsonl", DEFAULT_TAXONOMY).samples
    assert sample.label.level == 2
    assert run_command("convert", "nothing", tmp_path, tmp_path / "o.jsonl", code=1).startswith("error: adapter")
    labels.write_text("{", encoding="utf-8")
    assert "JSON" in run_command("convert", "folder", tmp_path, tmp_path / "o.jsonl", "--labels", labels, code=1)


def test_convert_lists_what_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "xstest_prompts.csv").write_text("id,type,prompt\n1,homonyms,Why?\n2,homonyms,\n", encoding="utf-8")
    command = ("convert", "xstest", tmp_path, tmp_path / "out.jsonl")
    assert "xstest_prompts.csv:3: prompt: the field is empty" in run_command(*command, code=1)
    result = runner.invoke(app, [str(argument) for argument in (*command, "--skip-bad")])
    assert result.exit_code == 0
    assert "1 records (safe 1)" in result.stdout
    assert result.stderr.splitlines()[-1] == "skipped 1 records"
    assert "split" in run_command(*command, "--split", "train", code=1)
