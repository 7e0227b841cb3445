"""Which reader a guard gets, and what the operator is told if there is none."""

import logging
import sys
from types import ModuleType

import pytest

from safety_core.errors import ConfigError
from safety_core.lettering.rapidocr import INSTALL, INSTALL_HEADLESS
from safety_core.lettering.readers import RAPIDOCR, check_reader, choose_reader, create_reader
from tests.helpers.engine.readers import FakeReader


def test_without_a_named_reader_pictures_are_not_read() -> None:
    assert choose_reader(None) is None
    assert choose_reader(None, "false") is None


def test_an_own_reader_takes_the_place_of_the_named_one() -> None:
    own = FakeReader()
    assert choose_reader(None, "auto", own) is choose_reader(RAPIDOCR, "true", own) is own
    assert choose_reader(None, "false", own) is None


def test_switching_a_checkpoints_reader_off_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert choose_reader(RAPIDOCR, "false") is None
    assert "not read" in caplog.text


def test_an_unknown_reader_is_an_error() -> None:
    for call in (check_reader, create_reader):
        with pytest.raises(ConfigError, match=r"one of \['rapidocr'\] is needed, got 'tesseract'"):
            call("tesseract")


@pytest.mark.parametrize("missing", ["cv2", "onnxruntime", "rapidocr_onnxruntime"])
@pytest.mark.parametrize(("named", "setting"), [(RAPIDOCR, "auto"), (None, "true")])
def test_what_is_not_installed_is_named_and_never_skipped(
    monkeypatch: pytest.MonkeyPatch, named: str | None, setting: str, missing: str
) -> None:
    for name in ("cv2", "onnxruntime", "rapidocr_onnxruntime"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError) as caught:
        choose_reader(named, setting)  # type: ignore[arg-type]
    assert INSTALL in str(caught.value)


def test_an_opencv_without_its_graphics_library_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, path: object, target: object = None) -> None:
            if name == "cv2":
                raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(ConfigError) as caught:
        create_reader(RAPIDOCR)
    assert INSTALL_HEADLESS in str(caught.value)


def test_what_the_setting_does_not_know_is_an_error() -> None:
    with pytest.raises(ConfigError, match="read_pictures: one of"):
        choose_reader(None, "yes")  # type: ignore[arg-type]
