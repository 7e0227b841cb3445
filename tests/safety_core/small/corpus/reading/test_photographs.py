from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.small.corpus.reading.photographs import read_coco_classes, read_photographs
from tests.helpers.datasets.world_folder import PHOTOS, Row, write_photo, write_rows, write_world


def test_photographs_have_ids_labels_and_what_they_show(tmp_path: Path) -> None:
    records = {record.id: record for record in read_photographs(write_world(tmp_path, {}))}
    assert list(records) == [
        "imagenet/n1",
        "imagenet/n2",
        "imagenet/n3",
        "imagenet/n4",
        "coco/1",
        "coco/2",
        "flickr8k/1",
        "flickr8k/2",
        "dreambooth/cup_00",
        "guns/1",
    ]
    assert records["guns/1"].label == records["imagenet/n1"].label == ("illegal", 1)
    assert records["imagenet/n2"].label is None
    assert records["imagenet/n3"].kind == "alcohol"
    assert records["imagenet/n4"].topic == "tench"
    assert records["flickr8k/1"].label is None
    assert records["flickr8k/2"].captions == ("A dog runs .", "A brown dog .")
    assert records["coco/2"].boxes == ()
    (box,) = records["coco/1"].boxes
    assert (box.name, box.centre_x, box.height) == ("knife", 0.5, 0.1)
    assert records["coco/1"].kind == "blade"
    assert all(record.photo and record.photo.is_file() and record.surface == "photo" for record in records.values())


def test_coco_has_eighty_classes() -> None:
    classes = read_coco_classes()
    assert len(set(classes)) == 80
    assert (classes[0], classes[39], classes[79]) == ("person", "bottle", "toothbrush")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"file": "photos/x.jpg", "set": "nothing"}, "set: unknown set"),
        ({"file": "photos/absent.jpg", "set": "guns"}, "file: there is no such photograph"),
        ({"file": "photos/guns/1.jpg", "set": "guns"}, "file: another photograph"),
        ({"file": "photos/x.jpg", "set": "coco", "boxes_class_cx_cy_w_h": [[80, 0, 0, 0, 0]]}, "boxes_class_cx_cy_w_h"),
        ({"file": "photos/x.jpg", "set": "coco", "boxes_class_cx_cy_w_h": [[1, 0, 0, 0]]}, "boxes_class_cx_cy_w_h"),
        ({"file": "photos/x.jpg"}, "set: the field is missing"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, row: Row, problem: str) -> None:
    write_world(tmp_path, {})
    write_photo(tmp_path / "photos" / "x.jpg", 99)
    write_rows(tmp_path / "photos.jsonl", [*PHOTOS, row])
    with pytest.raises(SampleError, match=rf"photos\.jsonl:11: {problem}"):
        list(read_photographs(tmp_path))


def test_a_folder_without_photographs_has_none(tmp_path: Path) -> None:
    assert list(read_photographs(tmp_path)) == []
