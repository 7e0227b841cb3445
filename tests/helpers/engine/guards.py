"""Guards that differ from another one in a single respect."""

from dataclasses import replace
from typing import Any

from safety_core.engine.guard import Guard


def change_limits(guard: Guard, **limits: Any) -> Guard:
    """The same model and policy with other limits."""
    return Guard(guard.model, guard.policy, limits=replace(guard.limits, **limits))
