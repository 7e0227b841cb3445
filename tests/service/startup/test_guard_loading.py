"""The guard of the settings, loaded in a thread that ends."""

import logging
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from safety_core.errors import SafeVLMError
from service.settings import Settings
from service.startup.guard_loading import load_configured_guard, run_in_temporary_thread


def test_the_guard_has_the_checkpoint_device_and_limits_of_the_settings(tiny_checkpoint: Path) -> None:
    settings = Settings(checkpoint=tiny_checkpoint, device="cpu", max_batch=3, max_prompt_tokens=77)
    info = load_configured_guard(settings).info
    assert (info.checkpoint, info.device, info.dtype) == ("tiny", "cpu", "float32")


def test_untrained_modules_are_served_only_on_demand_and_with_a_warning(
    untrained_checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SafeVLMError, match="never trained"):
        load_configured_guard(Settings(checkpoint=untrained_checkpoint, device="cpu"))
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        load_configured_guard(
            Settings(
                checkpoint=untrained_checkpoint, device="cpu", allow_untrained="yes-serve-although-nothing-is-guarded"
            )
        )
    assert "may not protect anything" in caplog.text


def test_what_is_loaded_comes_from_a_thread_that_has_ended() -> None:
    thread = run_in_temporary_thread(threading.current_thread)
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_an_error_of_loading_is_the_callers() -> None:
    def fail() -> None:
        raise ValueError("no device")

    with pytest.raises(ValueError, match="no device"):
        run_in_temporary_thread(fail)


def test_a_reader_that_is_wanted_and_not_installed_stops_the_start(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
    with pytest.raises(SafeVLMError, match=r"safevlm-guard\[ocr\]"):
        load_configured_guard(Settings(checkpoint=tiny_checkpoint, device="cpu", read_pictures="true"))
    for setting in ("auto", "false"):
        settings = Settings(checkpoint=tiny_checkpoint, device="cpu", read_pictures=setting)
        assert not load_configured_guard(settings).info.reads_lettering
