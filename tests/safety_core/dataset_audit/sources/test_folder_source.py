import os
from pathlib import Path

import pytest

from safety_core.dataset_audit.sources import folder_source
from safety_core.dataset_audit.sources.folder_source import FolderSource, write_listing
from safety_core.dataset_audit.sources.item import read_picture
from safety_core.errors import ImageError
from tests.helpers.datasets.audit_sources import create_fields, read_items, read_words
from tests.helpers.images.encoding import encode_png


def open_folder(root: Path, listing: Path) -> FolderSource:
    write_listing(root, listing)
    return FolderSource((listing,), create_fields(root))


def test_pictures_and_texts_of_one_name_are_pairs_and_the_order_is_that_of_names(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    for name in ("b.png", "a.jpg", "sub/c.PNG", ".hidden.png"):
        (root / name).write_bytes(encode_png())
    (root / "a.txt").write_text("about a")
    (root / "z.txt").write_text("only words")
    (root / "notes.md").write_text("ignored")
    items = read_items(open_folder(root, tmp_path / "listing"))
    assert [(item.id, item.kind) for item in items] == [
        ("a.jpg", "pair"),
        ("b.png", "picture"),
        ("z.txt", "text"),
        ("sub/c.PNG", "picture"),
    ]
    assert read_words(items) == ["about a", None, "only words", None]


def test_sorting_in_chunks_gives_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(25):
        (root / f"{number * 7 % 25:02}.txt").write_text(str(number))
    write_listing(root, tmp_path / "at-once")
    monkeypatch.setattr(folder_source, "_SORTED_AT_ONCE", 4)
    assert write_listing(root, tmp_path / "in-chunks") == 25
    assert (tmp_path / "in-chunks").read_bytes() == (tmp_path / "at-once").read_bytes()


def test_unreadable_texts_are_problems_and_odd_names_are_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_bytes(b"\xff\xfe")
    (root / "b.txt").write_text(" ")
    (root / "c.txt").write_bytes(b"x" * (1 << 20))
    Path(os.fsdecode(os.fsencode(root) + b"/d\xff.txt")).write_text("odd")
    items = read_items(open_folder(root, tmp_path / "listing"))
    assert [item.problem is None for item in items] == [False, False, False, True]
    assert items[3].id == "d\\udcff.txt"


def test_links_to_folders_are_not_followed_and_pipes_do_not_block(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.png")
    (item,) = read_items(open_folder(root, tmp_path / "listing"))
    with pytest.raises(ImageError):
        read_picture(item.pictures[0], 100)
