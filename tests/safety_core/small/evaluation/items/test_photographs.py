from pathlib import Path

import pytest

from safety_core.small.corpus.records import Record
from safety_core.small.evaluation.items.photographs import list_held_out_items, list_photograph_items
from safety_core.small.evaluation.items.prompts import list_prompts
from tests.helpers.datasets.real_items import HARMFUL, make_photograph, make_record


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return [
        make_photograph(tmp_path, "guns", "rifle", ("illegal", 1), kind="weapon"),
        make_photograph(tmp_path, "coco", "dog"),
        make_photograph(tmp_path, "imagenet", "beer", kind="alcohol"),
        make_photograph(tmp_path, "imagenet", "submarine", None),
        make_record("catqa", "do harm", HARMFUL),
    ]


def test_every_photograph_is_shown_alone_and_then_with_a_question(records: list[Record]) -> None:
    items = [item for item in list_photograph_items(records, "test", 99) if item.columns != ("harmful_photo",)]
    assert [item.columns for item in items] == [("weapons",)] * 2 + [("photographs",)] * 4
    assert [item.prompt for item in items[::2]] == [""] * 3
    assert all(item.prompt in list_prompts("photograph", "test") for item in items[1::2])
    assert all(item.group == items[index - 1].group for index, item in enumerate(items) if index % 2)
    assert "kind/alcohol" in items[4].parts


def test_a_harmful_request_stands_beside_a_photograph_without_any_risk(records: list[Record]) -> None:
    (pair,) = [item for item in list_photograph_items(records, "test", 99) if item.columns == ("harmful_photo",)]
    assert pair.prompt == "do harm"
    assert pair.picture is not None
    assert pair.picture.name == "coco-dog.jpg"
    assert pair.label == HARMFUL
    assert not any(item.columns == ("harmful_photo",) for item in list_photograph_items(records[-1:], "test", 99))


def test_a_held_out_set_is_measured_on_the_weapons_of_every_split(tmp_path: Path, records: list[Record]) -> None:
    trained = make_photograph(tmp_path, "guns", "pistol", ("illegal", 1), kind="weapon", split="train")
    items = list_held_out_items([*records, trained], "guns", "test", 99)
    assert {item.columns for item in items} == {("held_out_guns",)}
    assert {item.group for item in items} == {"guns/rifle", "guns/pistol"}
    assert list_held_out_items(records, "imagenet", "test", 99) == []
