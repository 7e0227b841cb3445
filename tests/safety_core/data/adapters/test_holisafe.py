import json
from pathlib import Path
from typing import Any

import pytest

from safety_core.data.conversion import convert
from safety_core.errors import SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture, write_text


def make_row(number: int, kind: str, category: str, subcategory: str) -> dict[str, Any]:
    return {
        "id": number,
        "image": f"{category}/{subcategory}/{subcategory}_{number}.png",
        "query": f"What about {number}?",
        "type": kind,
        "category": category,
        "subcategory": subcategory,
        "image_safe": kind[0] == "S",
        "image_safety_label": 0,
    }


def write_set(root: Path, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        write_picture(root / "images" / row["image"])
    write_text(root / "holisafe_bench.json", json.dumps(rows))


def test_the_letters_label_image_query_and_pair(tmp_path: Path) -> None:
    rows = [
        make_row(1, "SSS", "violence", "terrorism"),
        make_row(2, "SSU", "self_harm", "suicide"),
        make_row(3, "SUU", "specialized_advice", "medical_advice"),
        make_row(4, "USU", "hate", "race"),
        make_row(5, "UUU", "hate", "harassment"),
    ]
    write_set(tmp_path / "holisafe", rows)
    samples = convert_to_samples("holisafe", tmp_path / "holisafe", tmp_path)
    assert name_labels(samples) == [
        ("safe", 0),
        ("illegal", 3),
        ("misleading", 2),
        ("fairness", 2),
        ("insults_bullying", 2),
    ]
    safe = DEFAULT_TAXONOMY.safe_index
    image = [sample.image_risk is not None and sample.image_risk.type == safe for sample in samples]
    text = [sample.text_risk is not None and sample.text_risk.type == safe for sample in samples]
    assert image == [True, True, True, False, False]
    assert text == [True, True, False, True, False]
    assert [sample.meta["subset"] for sample in samples] == [row["type"] for row in rows]


def test_a_group_of_categories_can_be_labelled_anew(tmp_path: Path) -> None:
    write_set(tmp_path / "set", [make_row(1, "UUU", "hate", "race"), make_row(2, "USU", "new", "kind")])
    report = convert(
        "holisafe", tmp_path / "set", tmp_path / "out.jsonl", labels={"hate": ("illegal", 3), "new": ("privacy", 1)}
    )
    assert report.by_type == {"illegal": 1, "privacy": 1}


def test_a_pair_of_an_unknown_type_is_named(tmp_path: Path) -> None:
    write_set(tmp_path / "set", [make_row(1, "USS", "hate", "race")])
    with pytest.raises(SampleError, match=r"holisafe_bench\.json:1: type"):
        convert("holisafe", tmp_path / "set", tmp_path / "out.jsonl")
