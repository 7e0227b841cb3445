"""The shipped guard's heatmap points at what is risky; the published figure comes from many more scenes."""

import pytest

from bench.quality.explain import count_hits
from safety_core.engine.load import load_guard
from safety_core.nano.world.things import RISKY_KINDS
from tests.helpers.paths import ROOT


@pytest.mark.slow
def test_the_hottest_point_lies_inside_what_is_risky() -> None:
    guard = load_guard(ROOT / "weights" / "safevlm-nano", device="cpu")
    scenes = 12
    assert sum(count_hits(guard, kind, scenes) for kind in RISKY_KINDS) >= 0.8 * scenes * len(RISKY_KINDS)
