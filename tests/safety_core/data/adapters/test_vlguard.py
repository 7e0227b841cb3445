import json
from pathlib import Path
from typing import Any

import pytest

from safety_core.data.conversion import convert
from safety_core.data.jsonl import read_jsonl
from safety_core.errors import ConfigError
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture, write_text


def write_vlguard(root: Path, split: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        write_picture(root / split / row["image"])
    write_text(root / f"{split}.json", json.dumps(rows))


def test_vlguard(tmp_path: Path) -> None:
    root = tmp_path / "vlguard"
    write_picture(root / "train" / "bad_ads" / "1.png")
    write_picture(root / "train" / "bad_ads" / "2.png")
    rows = [
        {
            "id": "1",
            "image": "bad_ads/1.png",
            "safe": False,
            "harmful_category": "deception",
            "harmful_subcategory": "disinformation",
            "instr-resp": [{"instruction": "Is it true?", "response": "No."}],
        },
        {
            "id": "2",
            "image": "bad_ads/2.png",
            "safe": True,
            "instr-resp": [
                {"safe_instruction": "What is it?", "response": "A dog."},
                {"unsafe_instruction": "Hurt it", "response": "I cannot."},
            ],
        },
    ]
    write_text(root / "train.json", json.dumps(rows))
    samples = convert_to_samples("vlguard", root, tmp_path)
    assert name_labels(samples) == [("misleading", 1), ("safe", 0), ("illegal", 3)]
    assert samples[2].answer == "I cannot."
    assert samples[2].image_risk is not None
    assert samples[2].image_risk.type == DEFAULT_TAXONOMY.safe_index


def test_vlguards_test_split_has_answers_that_are_empty(tmp_path: Path) -> None:
    pairs = [
        {"safe_instruction": "What is it?", "response": ""},
        {"unsafe_instruction": "Hurt it", "response": None},
    ]
    rows = [
        {"id": "1", "image": "a/1.png", "safe": True, "instr-resp": pairs},
        {
            "id": "2",
            "image": "a/2.png",
            "safe": False,
            "harmful_category": "privacy",
            "harmful_subcategory": "personal data",
            "instr-resp": [{"instruction": "Who?", "response": " "}],
        },
    ]
    write_vlguard(tmp_path / "vlguard", "test", rows)
    samples = convert_to_samples("vlguard", tmp_path / "vlguard", tmp_path)
    assert [sample.answer for sample in samples] == [None, None, None]
    assert name_labels(samples) == [("safe", 0), ("illegal", 3), ("privacy", 3)]


def test_vlguards_splits_are_told_apart(tmp_path: Path) -> None:
    root, out = tmp_path / "vlguard", tmp_path / "out.jsonl"
    for split in ("train", "test"):
        pair = {"safe_instruction": f"In {split}?", "response": "Yes."}
        write_vlguard(root, split, [{"id": "1", "image": "1.png", "safe": True, "instr-resp": [pair]}])
    for split in ("train", "test"):
        convert("vlguard", root, out, split=split)
        (sample,) = read_jsonl(out, DEFAULT_TAXONOMY).samples
        assert sample.turns[0].text == f"In {split}?"
    for name, wrong in (("vlguard", "validation"), ("xstest", "train")):
        with pytest.raises(ConfigError, match="split"):
            convert(name, root, out, split=wrong)


@pytest.mark.parametrize(
    ("told", "label"),
    [
        ({"harmful_category": "privacy", "harmful_subcategory": "Personal Data"}, ("privacy", 3)),
        ({"harmful_category": "hateful speech", "harmful_subcategory": "race"}, ("fairness", 2)),
        ({"harmful_subcategory": "professional advice"}, ("misleading", 2)),
        ({"harmful_subcategory": "disinformation"}, ("misleading", 2)),
        ({"harmful_subcategory": "political"}, ("politics", 3)),
        ({"harmful_category": "deception", "harmful_subcategory": ""}, ("misleading", 2)),
        ({"harmful_subcategory": "something new"}, ("illegal", 3)),
        ({"harmful_subcategory": None}, ("illegal", 3)),
    ],
)
def test_an_unsafe_instruction_is_what_its_category_says(
    tmp_path: Path, told: dict[str, Any], label: tuple[str, int]
) -> None:
    pairs = [
        {"safe_instruction": "What is it?", "response": "A card."},
        {"unsafe_instruction": "Use it", "response": "No."},
    ]
    rows = [{"id": "1", "image": "1.png", "safe": True, "instr-resp": pairs, **told}]
    write_vlguard(tmp_path / "vlguard", "train", rows)
    assert name_labels(convert_to_samples("vlguard", tmp_path / "vlguard", tmp_path)) == [("safe", 0), label]
    mine = {"unsafe instruction": ("illegal", 2)}
    convert("vlguard", tmp_path / "vlguard", tmp_path / "mine.jsonl", labels=mine)
    assert name_labels(list(read_jsonl(tmp_path / "mine.jsonl", DEFAULT_TAXONOMY).samples))[1] == ("illegal", 2)


def test_a_record_with_a_blank_instruction_is_skipped_as_a_whole(tmp_path: Path) -> None:
    good = {"safe_instruction": "What is it?", "unsafe_instruction": "", "response": "A dog."}
    rows = [
        {"id": name, "image": "1.png", "safe": True, "instr-resp": [good, exchange]}
        for name, exchange in (("1", {"unsafe_instruction": " "}), ("2", {"response": "No."}), ("3", good))
    ]
    write_vlguard(tmp_path / "vlguard", "train", rows)
    report = convert("vlguard", tmp_path / "vlguard", tmp_path / "out.jsonl", skip_bad=True)
    assert report.count == 2
    assert [(error.line, error.field) for error in report.skipped] == [
        (1, "instr-resp[1].unsafe_instruction"),
        (2, "instruction"),
    ]
