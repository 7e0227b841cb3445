from pathlib import Path

import pytest

from safety_core.data.image_store import ImageStore, is_image, open_image_store

PNG = b"\x89PNG\r\n\x1a\n and more"


def store_and_fail(folder: Path, *contents: bytes, error: BaseException) -> None:
    with open_image_store(folder) as store:
        for content in contents:
            store.store(content)
        raise error


@pytest.mark.parametrize(
    ("content", "suffix"),
    [(PNG, ".png"), (b"\xff\xd8\xff\xe0", ".jpg"), (b"GIF89a", ".gif"), (b"RIFF\0\0\0\0WEBP", ".webp"), (b"", ".img")],
)
def test_a_content_becomes_a_file_with_the_suffix_of_its_format(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = ImageStore(tmp_path / "new" / "images").store(content)
    assert path.parent == tmp_path / "new" / "images"
    assert path.suffix == suffix
    assert path.read_bytes() == content


def test_each_content_is_stored_once(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    first, again, other = store.store(PNG), store.store(PNG), store.store(PNG + b"!")
    assert first == again != other
    assert sorted(tmp_path.iterdir()) == sorted({first, other})
    assert ImageStore(tmp_path).store(PNG) == first


def test_a_file_stays_where_it_is(tmp_path: Path) -> None:
    image = tmp_path / "own" / "a.png"
    assert ImageStore(tmp_path / "images").store(image) == image
    assert list(tmp_path.iterdir()) == []


def test_an_error_removes_what_was_written_and_nothing_else(tmp_path: Path) -> None:
    before = ImageStore(tmp_path / "images").store(PNG)
    with pytest.raises(KeyboardInterrupt):
        store_and_fail(tmp_path / "images", PNG, b"other", error=KeyboardInterrupt())
    assert list((tmp_path / "images").iterdir()) == [before]


def test_an_error_removes_a_folder_that_is_left_empty(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"):
        store_and_fail(tmp_path / "images", PNG, error=ValueError("bad"))
    assert list(tmp_path.iterdir()) == []


def test_without_an_error_the_files_stay(tmp_path: Path) -> None:
    with open_image_store(tmp_path / "images") as store:
        path = store.store(PNG)
    assert path.read_bytes() == PNG


def test_images_are_known_by_their_first_bytes() -> None:
    assert is_image(b"\x89PNG\r\n\x1a\n")
    assert not is_image(b"<svg/>")
    assert not is_image(b"")
