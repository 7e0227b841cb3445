from pathlib import Path
from typing import Any

import pytest

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import RiskLabel
from safety_core.errors import SampleError
from safety_core.inputs.conversation import Turn
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from tests.helpers.datasets.sample_records import make_record, write_records

THREE_TYPES = Taxonomy(types=("fine", "odd", "bad"), levels=("none", "some", "all"), safe_type="fine")


def test_a_record_becomes_a_sample(folder: Path) -> None:
    (sample,) = read_jsonl(write_records(folder, make_record(meta={"kind": "closed"})), DEFAULT_TAXONOMY).samples
    assert sample.images == (folder / "a.png",)
    assert sample.turns == (Turn(role="user", text="What is this?"),)
    assert sample.answer == "A square."
    assert sample.label == RiskLabel(type=1, level=2)
    assert sample.image_risk == RiskLabel(type=6, level=0)
    assert sample.text_risk is None
    assert sample.meta == {"kind": "closed"}
    assert (sample.source, sample.line) == ("test", 1)


def test_several_pictures_no_picture_and_no_words(folder: Path) -> None:
    path = write_records(
        folder,
        make_record(id="pair", image=["a.png", "b.png"]),
        make_record(id="words", image=None),
        make_record(id="picture", conversations=[]),
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
    (sample,) = read_jsonl(write_records(folder, make_record(conversations=turns)), DEFAULT_TAXONOMY).samples
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
        ({"conversations": [{"from": "USER", "value": "x", "extra": 1}]}, "conversations[0].extra"),
        ({"safe_type": 7}, "safe_type"),
        ({"safe_type": True}, "safe_type"),
        ({"safe_level": -1}, "safe_level"),
        ({"safe_level": "3"}, "safe_level"),
        ({"safe_type": 6, "safe_level": 1}, "safe_level"),
        ({"image_risk": {"type": 9, "level": 0}}, "image_risk.type"),
        ({"text_risk": {"type": 0}}, "text_risk.level"),
        ({"meta": []}, "meta"),
        ({"safe_lvl": 2}, "safe_lvl"),
    ],
)
def test_a_bad_field_is_named_with_file_and_line(folder: Path, changes: dict[str, Any], field: str) -> None:
    path = write_records(folder, make_record(), make_record(id="two") | changes)
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


def test_messages_do_not_repeat_the_text(folder: Path) -> None:
    secret = "SECRET-WORDS"
    path = write_records(folder, make_record(conversations=[{"from": secret, "value": secret}]))
    with pytest.raises(SampleError) as caught:
        read_jsonl(path, DEFAULT_TAXONOMY)
    assert secret not in str(caught.value)


def test_labels_are_bounded_by_the_taxonomy_in_use(folder: Path) -> None:
    path = write_records(folder, make_record(safe_type=2, safe_level=2, image_risk=None))
    assert read_jsonl(path, THREE_TYPES).samples[0].label == RiskLabel(type=2, level=2)
    with pytest.raises(SampleError, match="0 to 2"):
        read_jsonl(write_records(folder, make_record(safe_type=3, image_risk=None)), THREE_TYPES)


@pytest.mark.parametrize("field", ["safe_type", "safe_level"])
def test_a_record_without_a_label_is_named_as_such(folder: Path, field: str) -> None:
    with pytest.raises(SampleError, match=rf"data\.jsonl:1: {field}: the record has no label"):
        read_jsonl(write_records(folder, make_record(**{field: None})), DEFAULT_TAXONOMY)


def test_brackets_without_end_are_no_record(folder: Path) -> None:
    path = folder / "data.jsonl"
    path.write_text("[" * 100_000 + "\n", encoding="utf-8")
    with pytest.raises(SampleError, match=r"data\.jsonl:1: record: the line is not valid JSON"):
        read_jsonl(path, DEFAULT_TAXONOMY)
