"""From a directory to a guard: the operator's choices, and refusals to start."""

from pathlib import Path

import pytest

from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.errors import UntrainedError
from safety_core.model.checkpoint.checkpoint import init_checkpoint, verify


def test_a_guard_has_the_checkpoints_policy_and_the_operators_limits(tiny_checkpoint: Path) -> None:
    guard = load_guard(tiny_checkpoint, device="cpu", limits=GuardLimits(max_prompt_tokens=99))
    assert guard.info.policy == guard.policy == verify(tiny_checkpoint).policy
    assert guard.limits.max_prompt_tokens == 99
    info = guard.info
    assert (info.checkpoint, info.backbone, info.device, info.dtype) == ("tiny", "included", "cpu", "float32")
    assert info.pad_colour == (122, 116, 104)


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
