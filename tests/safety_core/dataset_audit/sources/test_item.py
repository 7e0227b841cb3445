from pathlib import Path

import pytest

from safety_core.dataset_audit.sources.item import FileRange, clean_text, read_picture
from safety_core.errors import ImageError


def test_pictures_are_read_up_to_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"0123456789")
    assert read_picture(file, 10) == b"0123456789"
    assert read_picture(FileRange(file, 3, 4), 10) == b"3456"
    assert read_picture(b"abc", 3) == b"abc"
    for picture in (file, FileRange(file, 0, 10), b"abcdefghij"):
        with pytest.raises(ImageError, match="more than 9 bytes"):
            read_picture(picture, 9)


@pytest.mark.parametrize("name", ["missing", "a\0b", "."])
def test_what_is_no_file_is_an_error_of_the_picture(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match="cannot be read") as caught:
        read_picture(tmp_path / name, 10)
    assert caught.value.code == "image_unreadable"


def test_text_that_no_file_can_hold_is_written_out() -> None:
    assert clean_text("a\udcff") == "a\\udcff"
