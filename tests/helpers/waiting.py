"""Waits for conditions that another thread or process fulfils."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds. The deadline is long: a test fails only if the condition never holds."""
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
