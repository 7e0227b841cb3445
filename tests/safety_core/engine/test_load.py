"""From a directory to a guard: the operator's choices, and refusals to start."""

import sys
from functools import partial
from pathlib import Path

import pytest

from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.errors import ConfigError, JudgeOnlyError, MissingBackboneError, UntrainedError
from safety_core.lettering.reading import ReadingLimits
from safety_core.model.checkpoint.checkpoint import init_checkpoint, verify
from tests.helpers.engine.readers import FakeReader
from tests.helpers.engine.requests import create_chat_request
from tests.helpers.paths import NANO_CHECKPOINT


def test_a_guard_has_the_checkpoints_policy_and_the_operators_limits(tiny_checkpoint: Path) -> None:
    guard = load_guard(tiny_checkpoint, device="cpu", limits=GuardLimits(max_prompt_tokens=99))
    assert guard.info.policy == guard.policy == verify(tiny_checkpoint).policy
    assert guard.limits.max_prompt_tokens == 99
    info = guard.info
    assert (info.checkpoint, info.backbone, info.device, info.dtype) == ("tiny", "included", "cpu", "float32")
    assert info.pad_colour == (122, 116, 104)


def test_a_guard_tells_what_its_checkpoint_is(tiny_checkpoint: Path) -> None:
    info = load_guard(tiny_checkpoint, device="cpu").info
    assert (info.model_card, info.is_miniature, info.compares) == ("# Tiny\n", False, False)
    assert load_guard(NANO_CHECKPOINT, device="cpu").info.is_miniature


def test_the_bare_language_model_is_kept_only_on_request(adapted_checkpoint: Path) -> None:
    guard = load_guard(adapted_checkpoint, device="cpu")
    with pytest.raises(JudgeOnlyError):
        guard.create_unguarded_request(create_chat_request())
    assert load_guard(adapted_checkpoint, device="cpu", compare=True).info.compares
    with pytest.raises(ConfigError, match="bare backbone"):
        load_guard(adapted_checkpoint, device="cpu", compare=True, judge_only=True)


def test_quantised_and_16_bit_backbones_say_so(tiny_checkpoint: Path) -> None:
    assert load_guard(tiny_checkpoint, device="cpu", dtype="bfloat16").info.dtype == "bfloat16"
    quantised = load_guard(tiny_checkpoint, device="cpu", quantize="nf4")
    assert quantised.info.dtype == "float32+nf4"
    assert quantised.check_canary() is None


def test_untrained_modules_are_refused_unless_allowed(tiny_backbone: Path, tmp_path: Path) -> None:
    path = init_checkpoint(tiny_backbone, tmp_path / "fresh")
    with pytest.raises(UntrainedError):
        load_guard(path, device="cpu")
    assert load_guard(path, device="cpu", allow_untrained=True).check_canary() is None


def test_a_missing_backbone_is_reported_before_a_missing_reader(
    unfetched_checkpoint: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ConfigError("the reader is not installed")

    monkeypatch.setattr("safety_core.lettering.readers.create_reader", fail)
    with pytest.raises(MissingBackboneError, match="safevlm parts fetch"):
        load_guard(unfetched_checkpoint, device="cpu", read_pictures="true")
    with pytest.raises(ConfigError, match="the reader is not installed"):
        load_guard(tiny_checkpoint, device="cpu", read_pictures="true")


def test_the_checkpoints_reader_is_used_unless_the_operator_says_otherwise(
    tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(name: str, limits: object) -> FakeReader:
        created.append(name)
        return FakeReader()

    created: list[str] = []
    monkeypatch.setattr("safety_core.lettering.readers.create_reader", create)
    load = partial(load_guard, device="cpu", allow_untrained=True)
    named = init_checkpoint(tiny_backbone, tmp_path / "named", reader="rapidocr")
    unnamed = init_checkpoint(tiny_backbone, tmp_path / "unnamed")
    assert not load(unnamed).info.reads_lettering
    assert not load(named, read_pictures="false").info.reads_lettering
    assert created == []
    guard = load(named)
    assert guard.info.reads_lettering
    assert guard.info.reading_side == ReadingLimits().side
    assert guard.check_canary() is None
    assert load(unnamed, read_pictures="true").info.reads_lettering
    assert created == ["rapidocr", "rapidocr"]
    assert load(named, reader=FakeReader()).info.reads_lettering
    assert len(created) == 2


def test_guards_with_and_without_a_reader_reach_different_verdicts(tiny_checkpoint: Path) -> None:
    plain = load_guard(tiny_checkpoint, device="cpu")
    with_reader = load_guard(tiny_checkpoint, device="cpu", reader=FakeReader())
    assert plain.fingerprint == load_guard(tiny_checkpoint, device="cpu").fingerprint != with_reader.fingerprint


def test_a_reader_that_is_not_installed_stops_the_start_before_the_model_is_loaded(
    tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = init_checkpoint(tiny_backbone, tmp_path / "named", reader="rapidocr")
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr("safety_core.engine.load.load_checkpoint", lambda *args, **options: pytest.fail("loaded"))
    with pytest.raises(ConfigError, match="extra ocr"):
        load_guard(path, device="cpu", allow_untrained=True)
