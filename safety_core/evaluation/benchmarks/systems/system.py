"""What a system under evaluation does: it answers items. Knows no system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from safety_core.evaluation.benchmarks.run_files import DecisionName, SystemInfo
from safety_core.evaluation.benchmarks.suites.items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a system made of one item; the fields are those of :class:`.run_files.ItemResult`."""

    decision: DecisionName | None = None
    risk: float | None = None
    risk_type: str | None = None
    type_scores: Mapping[str, float] | None = None
    level_scores: tuple[float, ...] | None = None
    reply: str | None = None
    """What a user would read; a refusal's text if the request was refused."""

    seconds: float | None = None
    error: str | None = None
    """Code of the reason why there is neither verdict nor reply."""


class System(Protocol):
    """One system, as it is served: it gets one item at a time."""

    @property
    def info(self) -> SystemInfo:
        """Name and origin of the system."""
        ...

    @property
    def policy(self) -> Mapping[str, Any] | None:
        """The policy that decides, in the form of ``policy.json``; None without one."""
        ...

    def answer(self, item: Item) -> Result:
        """Judge or answer one item, or both.

        A failure that concerns this item alone is the result's ``error``. May be called by several threads only if the
        system's loader says so.

        Raises:
            ConfigError: no item can be answered.
        """
        ...
