from dataclasses import replace
from pathlib import Path

import pytest

from safety_core.errors import InputError
from safety_core.small.alignment.naming.kinds import CLASSES
from safety_core.small.alignment.naming.things import find_thing
from safety_core.small.alignment.samples.photos import SeenClasses, describe_photos, list_classes
from safety_core.small.corpus.records import Box, Record

LABELS = ("otter", "sailboat", "teapot")


def make_record(number: int, source: str = "imagenet", **fields: object) -> Record:
    record = Record(
        id=f"{source}/{number}",
        source=source,
        surface="photo",
        label=("safe", 0),
        photo=Path(f"{number}.jpg"),
        topic=LABELS[number] if source == "imagenet" else "",
    )
    return replace(record, **fields)  # type: ignore[arg-type]


CLASS_RECORDS = [make_record(2), make_record(0), make_record(1)]


def test_classes_are_labels_in_the_order_of_ids() -> None:
    assert [thing.label for thing in list_classes(CLASS_RECORDS, 3)] == list(LABELS)
    assert list_classes(CLASS_RECORDS, 4) == ()


def test_classes_of_the_whole_set_have_kinds() -> None:
    records = [make_record(0, id=f"imagenet/n{number:04}") for number in range(CLASSES)]
    classes = list_classes(records)
    assert (classes[200].kind, classes[700].kind) == ("dog", "")


def test_a_label_is_the_name_and_other_classes_are_absent() -> None:
    classes = list_classes(CLASS_RECORDS, 3)
    seen = {"imagenet/0": SeenClasses(best=0, confidence=0.9, possible=frozenset({0, 2}))}
    (photo,) = describe_photos([make_record(0)], classes, seen)
    assert photo.main == find_thing("otter")
    assert photo.shown == (photo.main,)
    assert [thing.label for thing in photo.absent] == ["sailboat"]


def test_the_tower_names_what_nothing_else_names_if_it_is_sure() -> None:
    classes = list_classes(CLASS_RECORDS, 3)
    sure = {"coco/0": SeenClasses(best=1, confidence=0.9, possible=frozenset({1}))}
    unsure = {"coco/0": SeenClasses(best=1, confidence=0.3, possible=frozenset({1}))}
    record = make_record(0, "coco")
    assert [photo.main for photo in describe_photos([record], classes, sure)] == [classes[1]]
    assert [photo.main for photo in describe_photos([record], classes, unsure)] == [None]
    boxed = make_record(0, "coco", boxes=(Box(name="cup", centre_x=0.5, centre_y=0.5, width=0.1, height=0.1),))
    assert describe_photos([boxed], classes, sure)[0].main is None


def test_boxes_give_things_numbers_and_places() -> None:
    boxes = [("cup", 0.2), ("dog", 0.1), ("dog", 0.9), ("bench", 0.5)]
    record = make_record(
        0,
        "coco",
        boxes=tuple(Box(name=name, centre_x=x, centre_y=0.5, width=0.1, height=0.1) for name, x in boxes),
    )
    (photo,) = describe_photos([record], (), {})
    assert {thing.label for thing in photo.shown} == {"cup", "dog", "bench"}
    assert photo.counts == ((find_thing("dog"), 2),)
    assert photo.places == ((find_thing("cup"), "on the left"),)
    assert "giraffe" in {thing.label for thing in photo.absent}
    assert "dog" not in {thing.label for thing in photo.absent}


def test_what_captions_say_is_not_absent() -> None:
    record = make_record(0, "flickr8k", captions=("A cook holds a teapot", "A woman with a teapot in a kitchen"))
    classes = list_classes(CLASS_RECORDS, 3)
    seen = {record.id: SeenClasses(best=0, confidence=0.9, possible=frozenset())}
    (photo,) = describe_photos([record], classes, seen)
    labels = {thing.label for thing in photo.absent}
    assert "otter" in labels
    assert not labels & {"teapot", "woman"}
    assert photo.main is None
    assert photo.captions == ("A woman with a teapot in a kitchen.", "A cook holds a teapot.")[::-1]


def test_photographs_are_needed() -> None:
    with pytest.raises(InputError, match="no photographs"):
        describe_photos([], (), {})
