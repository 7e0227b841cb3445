"""The size of a pass follows measured durations, within bounds, and no single outlier decides it."""

import pytest
import torch

from safety_core.engine.judging.pace import Pace


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several threads share at least two views, which hides the other bounds."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)


def test_before_anything_was_measured_a_pass_is_small() -> None:
    pace = Pace(max_batch=16)
    assert pace.views == 1
    assert 256 <= pace.tokens < 1000


def test_fast_passes_grow_up_to_the_batch_and_slow_ones_shrink_to_one_view() -> None:
    pace = Pace(max_batch=16)
    for _ in range(100):
        pace.record_views(8, 8 * 0.002)
        pace.record_tokens(1000, 1000 * 1e-6)
    assert pace.views == pytest.approx(10, abs=1)
    assert pace.tokens == pytest.approx(20_000, rel=0.01)
    for _ in range(100):
        pace.record_views(8, 0.0)
    assert pace.views == 16
    for _ in range(100):
        pace.record_views(1, 3.0)
        pace.record_tokens(100, 30.0)
    assert (pace.views, pace.tokens) == (1, 256)


def test_several_threads_get_a_view_each_even_if_that_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert Pace(max_batch=16).views == 2
    assert Pace(max_batch=1).views == 1, "the batch is the bound all the same"


def test_one_stalled_pass_changes_little() -> None:
    pace = Pace(max_batch=16)
    for _ in range(100):
        pace.record_views(1, 0.002)
    pace.record_views(1, 1000.0)
    assert pace.views >= 5
    pace.record_views(0, 0.002)  # nothing was measured that could be divided by zero
    assert pace.views >= 5
