"""The guard of the settings, loaded in a thread that ends."""

import logging
import shutil
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from safety_core.errors import MissingBackboneError, SafeVLMError
from safety_core.model.checkpoint.checkpoint import init_checkpoint
from service.settings import Settings
from service.startup.guard_loading import load_configured_guard, run_in_temporary_thread
from tests.helpers.models.tiny import make_unfetched


def test_the_guard_has_the_checkpoint_device_and_limits_of_the_settings(tiny_checkpoint: Path) -> None:
    settings = Settings(checkpoint=tiny_checkpoint, device="cpu", max_batch=3, max_prompt_tokens=77)
    info = load_configured_guard(settings).info
    assert (info.checkpoint, info.device, info.dtype) == ("tiny", "cpu", "float32")


def test_the_bare_language_model_is_kept_for_a_comparison_and_the_log_says_so(
    tiny_checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(checkpoint=tiny_checkpoint, device="cpu", playground_compare=True)
    assert load_configured_guard(settings).info.compares
    assert "replies that are not guarded" in caplog.text
    assert not load_configured_guard(Settings(checkpoint=tiny_checkpoint, device="cpu")).info.compares


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


def test_a_checkpoint_whose_backbone_was_never_fetched_is_replaced_by_the_fallback_with_one_warning(
    unfetched_checkpoint: Path, tiny_checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(checkpoint=unfetched_checkpoint, fallback_checkpoint=tiny_checkpoint, device="cpu")
    info = load_configured_guard(settings).info
    assert info.checkpoint == "tiny"
    assert info.fallback is not None
    assert info.fallback.wanted == "wanted"
    assert "backbone of wanted was never fetched" in info.fallback.reason
    assert str(unfetched_checkpoint.parent) not in info.fallback.reason, "clients do not learn the server's paths"
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert (
        f"wanted: the backbone is missing, assemble it with: safevlm parts fetch --out {unfetched_checkpoint}" in line
    )
    assert "tiny is served instead of wanted" in line


def test_a_fallback_is_not_served_while_the_configured_checkpoint_can_be(
    tiny_checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(checkpoint=tiny_checkpoint, fallback_checkpoint=tmp_path / "nowhere", device="cpu")
    info = load_configured_guard(settings).info
    assert (info.checkpoint, info.fallback) == ("tiny", None)
    assert not caplog.records


def test_without_a_fallback_a_backbone_that_was_never_fetched_stops_the_start(unfetched_checkpoint: Path) -> None:
    with pytest.raises(MissingBackboneError, match="safevlm parts fetch --out"):
        load_configured_guard(Settings(checkpoint=unfetched_checkpoint, device="cpu"))


def test_no_other_problem_of_a_checkpoint_is_covered_by_the_fallback(
    unfetched_checkpoint: Path,
    tiny_checkpoint: Path,
    tiny_backbone: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    damaged = shutil.copytree(unfetched_checkpoint, tmp_path / "damaged")
    (damaged / "MODEL_CARD.md").write_text("Another card.")
    changed = shutil.copytree(tiny_checkpoint, tmp_path / "changed")
    (changed / "backbone" / "config.json").write_text("{}")
    fresh = init_checkpoint(tiny_backbone, tmp_path / "fresh", include_backbone=True)
    untrained = make_unfetched(fresh, tmp_path / "untrained")
    for checkpoint in (damaged, changed, untrained, tmp_path / "nowhere"):
        with pytest.raises(SafeVLMError) as caught:
            load_configured_guard(Settings(checkpoint=checkpoint, fallback_checkpoint=tiny_checkpoint, device="cpu"))
        assert checkpoint.name in str(caught.value)
        assert not isinstance(caught.value, MissingBackboneError)
    assert not caplog.records


def test_a_fallback_that_cannot_be_served_stops_the_start(unfetched_checkpoint: Path, tmp_path: Path) -> None:
    settings = Settings(checkpoint=unfetched_checkpoint, fallback_checkpoint=tmp_path / "nowhere", device="cpu")
    with pytest.raises(SafeVLMError, match="nowhere: no such checkpoint directory"):
        load_configured_guard(settings)


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
