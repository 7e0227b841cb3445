from collections import Counter
from dataclasses import replace
from pathlib import Path

from safety_core.small.corpus.records import Record
from safety_core.small.corpus.splits import (
    HELD_OUT_FUNCTIONALITIES,
    HELD_OUT_PEOPLE,
    assign_splits,
    drop_leaks,
    hold_out_source,
    is_held_out,
)


def make(key: str, *, group: str = "", category: str = "", topic: str = "", family: str = "") -> Record:
    return Record(
        id=key,
        source=key.partition("/")[0],
        surface="both",
        label=("safe", 0),
        text=key,
        category=category,
        topic=topic,
        family=family,
        group=group or key,
    )


def make_photos(source: str, count: int, *, risky: int = 0) -> list[Record]:
    return [
        replace(make(f"{source}/{i}"), photo=Path(f"{i}.jpg"), surface="photo", kind="weapon" if i < risky else "")
        for i in range(count)
    ]


def test_groups_go_whole_into_one_split() -> None:
    records = [make(f"catqa/{i}", group=f"catqa/{i // 3}") for i in range(600)]
    splits = assign_splits(records)
    for first in range(0, 600, 3):
        assert len({splits[f"catqa/{first + i}"] for i in range(3)}) == 1
    assert set(splits.values()) == {"train", "calibration", "development", "test"}


def test_a_group_that_touches_a_held_out_source_is_tested() -> None:
    groups = {
        "catqa/1": ["catqa/1", "simplesafetytests/1"],
        "catqa/2": ["catqa/2", "benign_paired/1", "benign_dolly/1"],
    }
    records = [make(key, group=group) for group, keys in groups.items() for key in keys]
    assert set(assign_splits(records).values()) == {"test"}


def test_functionalities_and_topics_are_held_out() -> None:
    assert all(is_held_out(make("hatecheck/1", category=one)) for one in HELD_OUT_FUNCTIONALITIES)
    assert len(HELD_OUT_FUNCTIONALITIES) == 6
    assert sum(one.endswith("_nh") for one in HELD_OUT_FUNCTIONALITIES) == 3
    assert not is_held_out(make("hatecheck/1", category="slur_h"))
    assert is_held_out(make("bbq/1", topic=HELD_OUT_PEOPLE))
    assert not is_held_out(make("bbq/1", topic="Age"))


def test_share_alike_sets_are_for_development() -> None:
    records = [make(f"benign_dolly/{i}") for i in range(50)]
    assert set(assign_splits(records).values()) == {"development"}


def test_an_issue_has_one_split() -> None:
    records = [
        make(f"issuebench_issues/{i}", family=f"issuebench_issues/issue-{i % 60}", group=f"issuebench_issues/{i % 60}")
        for i in range(240)
    ]
    splits = assign_splits(records)
    for issue in range(60):
        assert len({splits[f"issuebench_issues/{i}"] for i in range(issue, 240, 60)}) == 1
    assert 0.08 < Counter(splits.values())["test"] / 240 < 0.35


def test_photographs_are_counted_exactly_and_risky_kinds_spread() -> None:
    photos = make_photos("imagenet", 1000, risky=10)
    splits = assign_splits(photos)
    assert Counter(splits.values()) == {"test": 200, "calibration": 80, "development": 80, "train": 640}
    risky = Counter(splits[photo.id] for photo in photos if photo.kind)
    assert risky["test"] == 2
    assert risky["train"] >= 6


def test_half_of_coco_and_all_things_are_tested() -> None:
    assert Counter(assign_splits(make_photos("coco", 256)).values())["test"] == 128
    assert set(assign_splits(make_photos("dreambooth", 10)).values()) == {"test"}


def test_splits_do_not_depend_on_the_order() -> None:
    records = [*(make(f"catqa/{i}") for i in range(200)), *make_photos("guns", 40)]
    assert assign_splits(records) == assign_splits(records[::-1])


def test_training_records_in_a_measured_group_are_dropped() -> None:
    records = [
        make("catqa/1", group="g"),
        replace(make("catqa/2", group="g"), split="test"),
        make("catqa/3"),
    ]
    assert [record.split for record in drop_leaks(records)] == ["dropped", "test", "train"]


def test_a_source_can_be_held_out_whole() -> None:
    guns = make_photos("guns", 4)
    others = [*make_photos("imagenet", 2), replace(make_photos("flickr8k", 1)[0], group=guns[0].group)]
    held_out = hold_out_source([*guns, *others], "guns")
    assert [record.split for record in held_out] == ["test"] * 4 + ["train", "train", "dropped"]
