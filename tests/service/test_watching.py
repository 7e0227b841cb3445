"""Files that change while the server runs: when they are read, who is told, and what a broken one does."""

import asyncio
import time
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from service.watching import WatchedFile


def reader(path: Path) -> str:
    text = path.read_text()
    if "broken" in text:
        raise ConfigError(text)
    return text


def watched(path: Path) -> tuple[WatchedFile[str], list[str]]:
    told: list[str] = []
    file = WatchedFile("words", [path], lambda: reader(path))
    file.then(told.append)
    return file, told


def test_a_change_is_read_and_told_once(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("one")
    file, told = watched(path)
    asyncio.run(file.check())
    path.write_text("two!")
    asyncio.run(file.check())
    asyncio.run(file.check())
    assert (file.content, told) == ("two!", ["two!"])


def test_a_file_swapped_behind_a_link_is_a_change(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    link = tmp_path / "words"
    link.symlink_to(tmp_path / "one")
    file, _ = watched(link)
    link.unlink()
    link.symlink_to(tmp_path / "two")
    asyncio.run(file.check())
    assert file.content == "two"


def test_a_broken_version_is_complained_of_once_and_the_old_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "words"
    path.write_text("one")
    file, told = watched(path)
    path.write_text("broken")
    asyncio.run(file.check())
    asyncio.run(file.check())
    assert (file.content, file.complaint, told) == ("one", "broken", [])
    assert caplog.text.count("the old one stays in force") == 1
    path.write_text("three")
    asyncio.run(file.check())
    assert (file.content, file.complaint, told) == ("three", None, ["three"])


def test_an_error_of_any_kind_is_not_the_last_look_at_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "words"
    path.write_text("1")
    file = WatchedFile("numbers", [path], lambda: int(path.read_text()))
    path.write_text("secret words")
    asyncio.run(file.check())
    assert file.content == 1
    assert str(file.complaint).startswith("ValueError at ")
    assert "secret" not in caplog.text
    path.write_text("23")
    asyncio.run(file.check())
    assert (file.content, file.complaint) == (23, None)


def test_a_file_that_is_made_readable_is_read(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("one")
    readable = True

    def read() -> str:
        if not readable:
            raise ConfigError("not readable")
        return path.read_text()

    file = WatchedFile("words", [path], read)
    readable = False
    path.write_text("two")
    asyncio.run(file.check())
    assert "not readable" in str(file.complaint)
    readable = True
    time.sleep(0.02)  # a file system's clock is coarse
    path.chmod(0o640)
    asyncio.run(file.check())
    assert (file.content, file.complaint) == ("two", None)


def test_what_is_broken_from_the_start_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("broken")
    with pytest.raises(ConfigError):
        watched(path)
