from pathlib import Path

import pytest

from safety_core.data.conversion import convert
from safety_core.data.jsonl import read_jsonl
from safety_core.errors import ConfigError, SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture, write_text


def test_csv_with_usual_columns(tmp_path: Path) -> None:
    root = tmp_path / "csv"
    write_picture(root / "pictures" / "1.png")
    rows = 'Prompt,image,type,level,reply\n"What, this?",pictures/1.png,illegal,refuse,No.\nHello,,safe,0,\n'
    write_text(root / "mine.csv", rows)
    picture, words = convert_to_samples("csv", root, tmp_path)
    assert name_labels([picture, words]) == [("illegal", 3), ("safe", 0)]
    assert (picture.turns[0].text, picture.answer) == ("What, this?", "No.")
    assert picture.images[0].resolve() == (root / "pictures" / "1.png").resolve()
    assert (words.images, words.answer) == ((), None)
    assert [picture.id, words.id] == ["mine-2", "mine-3"]


def test_the_user_names_the_columns_and_labels(tmp_path: Path) -> None:
    file = tmp_path / "mine.tsv"
    write_text(file, "no\tfrage\tart\tprompt\n7\tWarum?\tspam\tnot this\n")
    columns = {"prompt": "frage", "category": "art", "id": "no"}
    labels = {"spam": ("misleading", 1)}
    convert("csv", file, tmp_path / "out.jsonl", columns=columns, labels=labels)
    (sample,) = read_jsonl(tmp_path / "out.jsonl", DEFAULT_TAXONOMY).samples
    assert (sample.id, sample.turns[0].text) == ("7", "Warum?")
    assert name_labels([sample]) == [("misleading", 1)]
    with pytest.raises(ConfigError, match=r"mine\.tsv: column 'nothing' of prompt is not among \['no', 'frage'"):
        convert("csv", file, tmp_path / "out.jsonl", columns={"prompt": "nothing"})
    with pytest.raises(ConfigError, match=r"column: fields are .*'prompt'.*got \['promt'\]"):
        convert("csv", file, tmp_path / "out.jsonl", columns={"promt": "frage"})
    with pytest.raises(ConfigError, match="the columns of xstest are fixed"):
        convert("xstest", tmp_path, tmp_path / "out.jsonl", columns={"prompt": "frage"})


def test_spreadsheets_divide_by_semicolons(tmp_path: Path) -> None:
    write_text(tmp_path / "mine.csv", "\ufeffprompt;category\nYes, and no;safe\n")
    convert("csv", tmp_path, tmp_path / "out.jsonl")
    (sample,) = read_jsonl(tmp_path / "out.jsonl", DEFAULT_TAXONOMY).samples
    assert sample.turns[0].text == "Yes, and no"


def test_several_images_are_a_json_list(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path / f"{name}.png")
    write_text(tmp_path / "mine.csv", 'image,category\n"[""a.png"", ""b.png""]",safe\n')
    convert("csv", tmp_path, tmp_path / "out.jsonl")
    (sample,) = read_jsonl(tmp_path / "out.jsonl", DEFAULT_TAXONOMY).samples
    assert [image.name for image in sample.images] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("prompt,category,level\nWhy?,illegal,4\n", r"mine\.csv:2: level: a level from 0 to 3"),
        ("prompt,category,level\nWhy?,illegal,bad\n", r"mine\.csv:2: level: a level from 0 to 3"),
        ("prompt,category,level\nWhy?,safe,2\n", r"mine\.csv:2: level: level 2 contradicts"),
        ("prompt,category\nWhy?,\n", r"mine\.csv:2: category: the record has no label"),
        ("prompt,category,level\nWhy?,,2\n", r"mine\.csv:2: category: the record has no label"),
        ("prompt,category\n ,safe\n", r"mine\.csv:2: prompt: a row needs a prompt"),
        ("prompt,category\nWhy?,safe,more\n", r"mine\.csv:2: record: the row has more cells"),
        ("image,category\ngone.png,safe\n", r"mine\.csv:2: image: the image .*gone\.png does not exist"),
        (f"image,category\n{'word ' * 300},safe\n", r"mine\.csv:2: image: the path, or the content [^w]*needed$"),
        (f"image,category\n{'[' * 100_000},safe\n", r"mine\.csv:2: image: the path, or the content"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, rows: str, message: str) -> None:
    write_text(tmp_path / "mine.csv", rows)
    with pytest.raises(SampleError, match=message):
        convert("csv", tmp_path / "mine.csv", tmp_path / "out.jsonl")


def test_a_level_0_is_safe_without_a_category(tmp_path: Path) -> None:
    write_text(tmp_path / "mine.csv", "prompt,category,level\nWhy?,,0\n")
    assert convert("csv", tmp_path, tmp_path / "out.jsonl").by_type == {"safe": 1}


def test_a_table_without_prompts_and_images_is_an_error(tmp_path: Path) -> None:
    write_text(tmp_path / "mine.csv", "a,b\n1,2\n")
    with pytest.raises(ConfigError, match=r"no column holds prompts or images; name one with --column prompt=NAME"):
        convert("csv", tmp_path, tmp_path / "out.jsonl")


def test_texts_in_the_place_of_categories_and_names_are_not_shown(tmp_path: Path) -> None:
    text = "a long text of somebody " * 20
    write_text(tmp_path / "mine.csv", f"prompt,category\nWhy?,{text}\n")
    with pytest.raises(ConfigError, match=r"a text of \d+ characters stands in the place of a category"):
        convert("csv", tmp_path, tmp_path / "out.jsonl")
    write_text(tmp_path / "mine.csv", f"{text},safe\nWhy?,safe\n")
    with pytest.raises(ConfigError, match=r"of \['\(480 characters\)', 'safe'\]"):
        convert("csv", tmp_path, tmp_path / "out.jsonl")
