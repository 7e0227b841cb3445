import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safety_core.data.samples import RiskLabel, read_all, read_jsonl, write_jsonl
from safety_core.errors import SampleError
from safety_core.inputs.prompts import Turn
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

THREE_TYPES = Taxonomy(types=("fine", "odd", "bad"), levels=("none", "some", "all"), safe_type="fine")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    return tmp_path


def record(**changes: Any) -> dict[str, Any]:
    return {
        "id": "one",
        "image": "a.png",
        "conversations": [{"from": "USER", "value": "What is this?"}, {"from": "ASSISTANT", "value": "A square."}],
        "safe_type": 1,
        "safe_level": 2,
        "image_risk": {"type": 6, "level": 0},
        "text_risk": None,
        "source": "test",
    } | changes


def write(folder: Path, *records: object) -> Path:
    path = folder / "data.jsonl"
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in records), encoding="utf-8")
    return path


def test_a_record_becomes_a_sample(folder: Path) -> None:
    (sample,) = read_jsonl(write(folder, record(meta={"kind": "closed"})), DEFAULT_TAXONOMY).samples
    assert sample.images == (folder / "a.png",)
    assert sample.turns == (Turn(role="user", text="What is this?"),)
    assert sample.answer == "A square."
    assert sample.label == RiskLabel(type=1, level=2)
    assert sample.image_risk == RiskLabel(type=6, level=0)
    assert sample.text_risk is None
    assert sample.meta == {"kind": "closed"}
    assert (sample.source, sample.line) == ("test", 1)


def test_several_pictures_no_picture_and_no_words(folder: Path) -> None:
    path = write(
        folder,
        record(id="pair", image=["a.png", "b.png"]),
        record(id="words", image=None),
        record(id="picture", conversations=[]),
    )
    pair, words, picture = read_jsonl(path, DEFAULT_TAXONOMY).samples
    assert pair.images == (folder / "a.png", folder / "b.png")
    assert words.images == ()
    assert picture.turns == ()
    assert picture.answer is None


def test_a_conversation_may_end_with_the_user(folder: Path) -> None:
    turns = [
        {"from": "USER", "value": "Hello"},
        {"from": "ASSISTANT", "value": "Hi"},
        {"from": "USER", "value": "What now?"},
    ]
    (sample,) = read_jsonl(write(folder, record(conversations=turns)), DEFAULT_TAXONOMY).samples
    assert sample.answer is None
    assert [turn.role for turn in sample.turns] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"image": "missing.png"}, "image"),
        ({"image": ["a.png", "missing.png"]}, "image[1]"),
        ({"image": 3}, "image"),
        ({"image": None, "conversations": []}, "conversations"),
        ({"conversations": "text"}, "conversations"),
        ({"conversations": [{"from": "ASSISTANT", "value": "Hi"}]}, "conversations[0].from"),
        ({"conversations": [{"from": [], "value": "Hi"}]}, "conversations[0].from"),
        ({"conversations": [{"from": "USER", "value": ""}]}, "conversations[0].value"),
        ({"conversations": [{"from": "USER", "value": "x", "extra": 1}]}, "conversations[0]"),
        ({"safe_type": 7}, "safe_type"),
        ({"safe_type": True}, "safe_type"),
        ({"safe_level": -1}, "safe_level"),
        ({"safe_level": "3"}, "safe_level"),
        ({"safe_type": 6, "safe_level": 1}, "safe_level"),
        ({"image_risk": {"type": 9, "level": 0}}, "image_risk.type"),
        ({"text_risk": {"type": 0}}, "text_risk"),
        ({"meta": []}, "meta"),
        ({"safe_lvl": 2}, "safe_lvl"),
    ],
)
def test_a_bad_field_is_named_with_file_and_line(folder: Path, changes: dict[str, Any], field: str) -> None:
    path = write(folder, record(), record(id="two") | changes)
    with pytest.raises(SampleError) as caught:
        read_jsonl(path, DEFAULT_TAXONOMY)
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(path), 2, field)
    assert str(caught.value).startswith(f"{path}:2: {field}: ")


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "x"}'])
def test_a_line_that_is_no_record_is_an_error(folder: Path, line: str) -> None:
    path = folder / "data.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(SampleError, match=r"data\.jsonl:1: "):
        read_jsonl(path, DEFAULT_TAXONOMY)


def test_bad_records_are_listed_when_skipped(folder: Path) -> None:
    path = write(folder, record(), record(id="two", safe_type=99), record(), "text", record(id="five"))
    result = read_jsonl(path, DEFAULT_TAXONOMY, skip_bad=True)
    assert [sample.id for sample in result.samples] == ["one", "five"]
    assert [(error.line, error.field) for error in result.bad] == [(2, "safe_type"), (3, "id"), (4, "record")]


def test_messages_do_not_repeat_the_text(folder: Path) -> None:
    secret = "SECRET-WORDS"
    path = write(folder, record(conversations=[{"from": secret, "value": secret}]))
    with pytest.raises(SampleError) as caught:
        read_jsonl(path, DEFAULT_TAXONOMY)
    assert secret not in str(caught.value)


def test_blank_lines_count_but_do_not_matter(folder: Path) -> None:
    path = folder / "data.jsonl"
    path.write_text("\n" + json.dumps(record()) + "\n\n", encoding="utf-8")
    (sample,) = read_jsonl(path, DEFAULT_TAXONOMY).samples
    assert sample.line == 2


def test_a_missing_file_is_an_error_even_when_skipping(folder: Path) -> None:
    with pytest.raises(SampleError, match=r"nowhere\.jsonl"):
        read_jsonl(folder / "nowhere.jsonl", DEFAULT_TAXONOMY, skip_bad=True)


def test_labels_are_bounded_by_the_taxonomy_in_use(folder: Path) -> None:
    path = write(folder, record(safe_type=2, safe_level=2, image_risk=None))
    assert read_jsonl(path, THREE_TYPES).samples[0].label == RiskLabel(type=2, level=2)
    with pytest.raises(SampleError, match="0 to 2"):
        read_jsonl(write(folder, record(safe_type=3, image_risk=None)), THREE_TYPES)


def test_several_files_read_as_one(folder: Path) -> None:
    first = write(folder, record())
    second = folder / "more.jsonl"
    write_jsonl(second, [record(safe_type=-1), record(id="two")])
    result = read_all([first, second], DEFAULT_TAXONOMY, skip_bad=True)
    assert [sample.id for sample in result.samples] == ["one", "two"]
    assert len(result.bad) == 1


def test_writing_is_all_or_nothing(folder: Path) -> None:
    path = folder / "out.jsonl"
    assert write_jsonl(path, [record(), record(id="two")]) == 2
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_jsonl(path, [record(), record(id=object())])
    assert path.read_bytes() == before
