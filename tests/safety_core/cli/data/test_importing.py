from pathlib import Path

from PIL import Image

from safety_core.cli.main import app
from safety_core.data.jsonl import read_jsonl
from safety_core.data.registry import ADAPTERS
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.command_line import run_command, runner


def test_import_writes_records(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "odd").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "odd" / "1.png")
    labels = tmp_path / "labels.json"
    labels.write_text('{"odd": ["privacy", 2]}', encoding="utf-8")
    command = ("data", "import", "folder", tmp_path / "pictures", tmp_path / "out.jsonl", "--labels", labels)
    assert "1 records (privacy 1)" in run_command(*command)
    (sample,) = read_jsonl(tmp_path / "out.jsonl", DEFAULT_TAXONOMY).samples
    assert sample.label.level == 2
    wrong = ("data", "import", "nothing", tmp_path, tmp_path / "o.jsonl")
    assert run_command(*wrong, code=1).startswith("error: adapter")
    labels.write_text("{", encoding="utf-8")
    assert "JSON" in run_command(*command, code=1)


def test_import_lists_what_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "xstest_prompts.csv").write_text("id,type,prompt\n1,homonyms,Why?\n2,homonyms,\n", encoding="utf-8")
    command = ("data", "import", "xstest", tmp_path, tmp_path / "out.jsonl")
    assert "xstest_prompts.csv:3: prompt: the field is empty" in run_command(*command, code=1)
    result = runner.invoke(app, [str(argument) for argument in (*command, "--skip-bad")])
    assert result.exit_code == 0
    assert "1 records (safe 1)" in result.stdout
    assert result.stderr.splitlines()[-1] == "skipped 1 records"
    assert "split" in run_command(*command, "--split", "train", code=1)


def test_import_reads_a_table_by_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("frage,art\nWarum?,privacy\nWieso?,\n", encoding="utf-8")
    command = ("data", "import", "csv", file, tmp_path / "out.jsonl", "--column", "prompt=frage", "--column")
    assert "2 records (privacy 1, unlabelled 1)" in run_command(*command, "category=art", "--unlabelled")
    assert "mine.csv:3: category: the record has no label" in run_command(*command, "category=art", code=1)
    assert "FIELD=NAME is needed" in run_command(*command, "category", code=2)
    assert "FIELD=NAME is needed" in run_command(*command, "prompt=art", code=2)


def test_sets_lists_all_sets_and_the_labels_of_one() -> None:
    lines = run_command("data", "sets").splitlines()
    assert [line.split()[0] for line in lines] == list(ADAPTERS)
    assert "splits train, test" in lines[0]
    labels = run_command("data", "sets", "hatecheck").splitlines()
    assert labels == [
        "insults_bullying 3: hateful",
        "safe 0: non-hateful",
        "insults_bullying 2: non-hateful/target_indiv_nh",
        "insults_bullying 1: non-hateful/target_group_nh",
    ]
    assert "must be one of" in run_command("data", "sets", "nothing", code=1)
