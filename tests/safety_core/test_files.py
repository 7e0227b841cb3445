import codecs
import json
from pathlib import Path

import pytest

from safety_core.files import describe_read_error, open_atomically, read_json, read_text, write_bytes, write_text

TEXT = '{"name": "Zürich"}\n'


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
)
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    assert read_text(path) == TEXT
    assert read_json(path) == {"name": "Zürich"}


def test_a_mark_further_on_stays(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "a\ufeffb")
    assert read_text(tmp_path / "file") == "a\ufeffb"


def test_what_is_wrong_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\x00")
    (tmp_path / "odd").write_text('{"a": 1,\n}', encoding="utf-8")
    told = {}
    for name in ("gone", ".", "bytes", "odd"):
        with pytest.raises((OSError, ValueError)) as caught:
            read_json(tmp_path / name)
        told[name] = describe_read_error(caught.value, "JSON")
    assert told == {
        "gone": "cannot be read: there is no such file",
        ".": "cannot be read: it is a folder",
        "bytes": "cannot be read as JSON: it is not UTF-8 text",
        "odd": "cannot be read as JSON (line 2)",
    }
    assert describe_read_error(json.JSONDecodeError("x", "secret", 0), "JSON") == "cannot be read as JSON (line 1)"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, error: type[BaseException]) -> None:
    def fail(path: Path) -> None:
        with open_atomically(path) as stream:
            stream.write("half")
            raise error

    with pytest.raises(error):
        fail(tmp_path / "new" / "deep" / "file")
    assert list(tmp_path.iterdir()) == []
    write_text(tmp_path / "file", "before")
    with pytest.raises(error):
        fail(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "before"


def test_a_binary_file_appears_completely_or_not_at_all(tmp_path: Path) -> None:
    write_bytes(tmp_path / "new" / "file.bin", b"\x00\xff")
    assert (tmp_path / "new" / "file.bin").read_bytes() == b"\x00\xff"
    with pytest.raises(TypeError):
        write_bytes(tmp_path / "other" / "file.bin", 3)  # type: ignore[arg-type]
    assert not (tmp_path / "other").exists()
