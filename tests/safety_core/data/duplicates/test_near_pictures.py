from pathlib import Path

import pytest
from PIL import Image

from safety_core.data.duplicates.near_pictures import PICTURES_ALIKE, find_near_hashes, find_near_pictures
from safety_core.errors import SampleError
from tests.helpers.datasets.world_folder import write_photo


def test_pictures_that_look_alike_are_found(tmp_path: Path) -> None:
    pytest.importorskip("imagehash")
    files = [tmp_path / f"{name}.jpg" for name in ("a", "b", "smaller", "c")]
    for seed, file in enumerate(files):
        write_photo(file, seed)
    with Image.open(files[0]) as image:
        image.resize((70, 70)).save(files[2], quality=60)
    assert list(find_near_pictures(files)) == [(0, 2)]


def test_hashes_differ_in_few_bits_or_are_others() -> None:
    near = (1 << PICTURES_ALIKE) - 1
    assert list(find_near_hashes([1 << 63, near << 20, 0, (1 << 63) | near])) == [(0, 2), (0, 3), (1, 2)]
    assert list(find_near_hashes([])) == []


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    pytest.importorskip("imagehash")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(SampleError, match=r"broken\.jpg"):
        list(find_near_pictures([tmp_path / "broken.jpg"]))


def test_a_picture_that_a_server_would_reject_is_not_decoded(tmp_path: Path) -> None:
    pytest.importorskip("imagehash")
    Image.new("1", (6000, 6000)).save(tmp_path / "bomb.png")
    with pytest.raises(SampleError, match=r"bomb\.png"):
        list(find_near_pictures([tmp_path / "bomb.png"]))
