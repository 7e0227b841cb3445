"""Evaluation suites that are opened by name instead of by folder.

A suite is one line of ``SUITES`` and one module with a loader function. The module is imported when its suite is
opened, so that a suite that is not used costs nothing and may live in a package above this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from pkgutil import resolve_name

from safety_core.errors import ConfigError
from safety_core.evaluation.suites.suite import Suite

SuiteLoader = Callable[[Path], Suite]
"""Loads a suite. The argument is a folder for files that the loader makes; they are reused by the next call."""

SUITES: Mapping[str, str] = {
    "nano": "safety_core.nano.build.suite:load_held_out_suite",
}
"""Name → import path of its :data:`SuiteLoader`, as ``module:function``."""


def open_suite(name: str, cache: Path, *, suites: Mapping[str, str] = SUITES) -> Suite:
    """Load a registered suite.

    Args:
        name: name of the suite.
        cache: folder for files that the suite's loader makes.
        suites: the registry to look in.

    Raises:
        ConfigError: no suite has this name, or the suite is malformed.
        SampleError: a record of the suite is malformed.
    """
    if name not in suites:
        raise ConfigError(f"suite {name!r}: not registered; the registered suites are {', '.join(sorted(suites))}")
    load: SuiteLoader = resolve_name(suites[name])
    return load(cache)
