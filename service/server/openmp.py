"""Limits how long the helper threads of OpenMP spin before they sleep.

The model gives them work every few microseconds, so some spinning is useful. The default, milliseconds, takes processor
time from the event loop and from the threads that prepare requests. Must run before torch is loaded.
"""

import os

SPIN_COUNT_VARIABLE = "GOMP_SPINCOUNT"
"""Read by GNU's OpenMP, which is part of torch's wheels, when it is loaded."""

SPIN_COUNT = "20000"
"""Tens of microseconds: longer than the pause between two operations of a model, shorter than between two requests."""


def limit_spinning() -> None:
    """Set the spin count, unless the operator has set it."""
    os.environ.setdefault(SPIN_COUNT_VARIABLE, SPIN_COUNT)
