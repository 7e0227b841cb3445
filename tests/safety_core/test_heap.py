"""What was freed goes back to the system, where the C library can do that."""

import ctypes

import pytest

from safety_core import heap as memory
from safety_core.heap import release_free_memory


def test_free_memory_is_released_or_left() -> None:
    assert release_free_memory() in (True, False)


def test_a_library_without_the_function_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    memory._malloc_trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    try:
        assert release_free_memory() is False
    finally:
        memory._malloc_trim.cache_clear()
