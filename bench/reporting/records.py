"""Dated JSON records of measurements, with machine, versions and commit beside the figures."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from bench.paths import RESULTS

_begun: tuple[float, float, float] | None = None
"""Start of the measurement, and the processor seconds of machine and process up to then."""

_PACKAGES = ("torch", "transformers", "fastapi", "uvicorn")


def measure_foreign_cores() -> float:
    """Average number of cores used by other processes since :func:`begin_measurement`; 0 if it was not called.

    Child processes count as ours once they have ended.
    """
    if _begun is None:
        return 0.0
    at, busy_s, own_s = _begun
    return max(0.0, (_read_busy_s() - busy_s - (_read_own_s() - own_s)) / (time.perf_counter() - at))


def begin_measurement() -> None:
    """Start to count the processor time of other processes."""
    global _begun
    _begun = (time.perf_counter(), _read_busy_s(), _read_own_s())


def _read_busy_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _read_own_s() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def describe_environment() -> dict[str, object]:
    """The machine, versions and commit of a measurement."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=RESULTS.parent
    )
    return {
        "cpu": _read_cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "commit": commit.stdout.strip() or None,
        "foreign_cores": round(measure_foreign_cores(), 2),
    }


def write_record(name: str, figures: Mapping[str, object], *, folder: Path = RESULTS) -> Path:
    """Write the record ``NAME-DATE.json``; a second record of the same day replaces the first.

    Args:
        name: of the measurement.
        figures: the figures, with units in the names.
        folder: of the file.
    """
    now = datetime.now(UTC)
    path = folder / f"{name}-{now:%Y-%m-%d}.json"
    command = ["python", "-m", "bench", *sys.argv[1:]]
    data = {
        "name": name,
        "date": f"{now:%Y-%m-%d}",
        "command": command,
        **describe_environment(),
        "figures": dict(figures),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return path


def _read_cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
