"""What was freed goes back to the system, where the C library can do that."""

import ctypes

import pytest

from safety_core import heap
from safety_core.heap import trim_heap


def test_free_memory_is_released_or_left() -> None:
    assert trim_heap() in (True, False)


def test_a_library_without_the_function_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    heap._find_malloc_trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    try:
        assert trim_heap() is False
    finally:
        heap._find_malloc_trim.cache_clear()
