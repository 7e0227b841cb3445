"""Files that change while the server runs: when they are read, who is told, and what a broken one does."""

import asyncio
import os
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from service.hot_reload import ReloadedFile, UnreadableFileError


def reader(path: Path) -> str:
    text = path.read_text()
    if "broken" in text:
        raise ConfigError(text)
    return text


def watched(path: Path) -> tuple[ReloadedFile[str], list[str]]:
    told: list[str] = []
    file = ReloadedFile("words", [path], lambda: reader(path))
    file.add_listener(told.append)
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
    assert (file.content, file.failure, told) == ("one", "broken", [])
    assert caplog.text.count("the previous one stays in force") == 1
    path.write_text("three")
    asyncio.run(file.check())
    assert (file.content, file.failure, told) == ("three", None, ["three"])


def test_an_error_of_any_kind_is_not_the_last_look_at_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "words"
    path.write_text("1")
    file = ReloadedFile("numbers", [path], lambda: int(path.read_text()))
    path.write_text("secret words")
    asyncio.run(file.check())
    assert file.content == 1
    assert str(file.failure).startswith("ValueError at ")
    assert "secret" not in caplog.text
    path.write_text("23")
    asyncio.run(file.check())
    assert (file.content, file.failure) == (23, None)


def test_a_file_that_becomes_readable_without_a_change_is_read(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("one")
    readable = True

    def read() -> str:
        if not readable:
            raise ConfigError("not readable")
        return path.read_text()

    file = ReloadedFile("words", [path], read)
    readable = False
    path.write_text("two")
    asyncio.run(file.check())
    assert "not readable" in str(file.failure)
    readable = True
    asyncio.run(file.check())
    assert (file.content, file.failure) == ("two", None)


def test_what_is_broken_from_the_start_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("broken")
    with pytest.raises(ConfigError):
        watched(path)


def unreadable(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as exc:
        raise UnreadableFileError("not there") from exc


def test_without_its_file_a_content_may_be_void(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("one")
    void = ReloadedFile("words", [path], lambda: unreadable(path), create_fallback=lambda: "")
    kept = ReloadedFile("words", [path], lambda: unreadable(path))
    path.unlink()
    for file in (void, kept):
        asyncio.run(file.check())
    assert (void.content, kept.content) == ("", "one")
    assert "none of its entries is valid" in str(void.failure_summary)
    assert "the previous version stays in force" in str(kept.failure_summary)
    path.write_text("two")
    for file in (void, kept):
        asyncio.run(file.check())
    assert [(file.content, file.failure, file.failure_summary) for file in (void, kept)] == [("two", None, None)] * 2


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("one")
    void = ReloadedFile("words", [path], lambda: unreadable(path), create_fallback=lambda: "", blank_is_broken=True)
    kept = ReloadedFile("words", [path], lambda: unreadable(path))
    path.unlink()
    os.mkfifo(path)
    for file in (void, kept):
        asyncio.run(file.check())
    assert (void.content, kept.content) == ("", "one")
    assert "not a regular file" in str(void.failure)
    path.unlink()
    path.write_text("two")
    for file in (void, kept):
        asyncio.run(file.check())
    assert [(file.content, file.failure) for file in (void, kept)] == [("two", None)] * 2


@pytest.mark.parametrize("blank", ["", " \n\t"])
def test_a_version_without_a_word_may_be_broken(tmp_path: Path, blank: str) -> None:
    path = tmp_path / "words"
    path.write_text("one")
    strict = ReloadedFile("words", [path], lambda: reader(path), blank_is_broken=True)
    lax = ReloadedFile("words", [path], lambda: reader(path))
    path.write_text(blank)
    for file in (strict, lax):
        asyncio.run(file.check())
    assert (strict.content, lax.content) == ("one", blank)
    assert "empty" in str(strict.failure)
