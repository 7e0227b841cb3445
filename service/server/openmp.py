"""How long OpenMP's helper threads spin for their next piece of work before they sleep.

A model's worker gives them work every few microseconds, so some spinning pays; but beside an event loop on the same
cores the default, milliseconds, takes processor time from whoever prepares the next batch. Knows no torch: it must be
said before torch is loaded.
"""

import os

VARIABLE = "GOMP_SPINCOUNT"
"""Read by GNU's OpenMP, which torch's wheels bring, when it is loaded."""

ROUNDS = "20000"
"""Tens of microseconds: more than lies between two operations of a model, less than between two requests."""


def limit_spinning() -> None:
    """Set it, unless the operator did."""
    os.environ.setdefault(VARIABLE, ROUNDS)
