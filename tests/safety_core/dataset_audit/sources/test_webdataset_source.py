import tarfile
from pathlib import Path

from safety_core.dataset_audit.sources.item import read_picture
from safety_core.dataset_audit.sources.webdataset_source import WebDatasetSource
from tests.helpers.datasets.audit_sources import create_fields, read_items, read_words, write_tar
from tests.helpers.images.encoding import encode_png


def test_members_of_one_name_are_one_item(tmp_path: Path) -> None:
    red, blue = encode_png(), encode_png(colour="blue")
    members = {
        "a/1.png": red,
        "a/1.txt": b"words",
        "a/2.left.PNG": red,
        "a/2.right.png": blue,
        "a/2.json": b'{"caption": "said"}',
        "a/3.cls": b"7",
        "a/4.txt": b"alone",
    }
    source = WebDatasetSource((write_tar(tmp_path / "t.tar", members),), create_fields(tmp_path))
    items = read_items(source)
    assert [(item.id, item.place, item.kind) for item in items] == [
        ("a/1", "t.tar:a/1", "pair"),
        ("a/2", "t.tar:a/2", "pair"),
        ("a/4", "t.tar:a/4", "text"),
    ]
    assert read_words(items) == ["words", "said", "alone"]
    assert [read_picture(picture, 1 << 20) for picture in items[1].pictures] == [red, blue]


def test_a_damaged_archive_ends_with_a_bad_item_and_the_next_is_read(tmp_path: Path) -> None:
    first = write_tar(tmp_path / "a.tar", {f"{number}.txt": b"w" * 600 for number in range(5)})
    content = bytearray(first.read_bytes())
    content[3 * 1536 : 3 * 1536 + 100] = b"\xff" * 100
    first.write_bytes(content)
    second = write_tar(tmp_path / "b.tar", {"9.txt": b"fine"})
    items = read_items(WebDatasetSource((first, second), create_fields(tmp_path)))
    assert [item.id for item in items[:3]] == ["0", "1", "2"]
    assert items[3].problem is not None
    assert [(item.id, item.problem) for item in items[4:]] == [("9", None)]


def test_malformed_members_are_problems(tmp_path: Path) -> None:
    members = {"1.json": b"[1]", "2.txt": b"\xff\xfe", "3.json": b'{"other": 1}', "4.txt": b"good"}
    members |= {f"5.{number}.png": encode_png() for number in range(12)}
    items = read_items(WebDatasetSource((write_tar(tmp_path / "t.tar", members),), create_fields(tmp_path)))
    assert [item.problem is None for item in items] == [False, False, False, True, False]


def test_a_header_of_endless_size_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "t.tar"
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.txt")
        info.pax_headers = {"comment": "x" * (2 << 20)}
        archive.addfile(info)
    (item,) = read_items(WebDatasetSource((file,), create_fields(tmp_path)))
    assert item.problem is not None


def test_links_are_no_items(tmp_path: Path) -> None:
    file = tmp_path / "t.tar"
    with tarfile.open(file, "w") as archive:
        info = tarfile.TarInfo("a.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    assert read_items(WebDatasetSource((file,), create_fields(tmp_path))) == []
