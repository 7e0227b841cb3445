"""``python -m bench NAME``: run one measurement."""

from collections.abc import Callable

import typer

from bench.performance.audit import measure_audit
from bench.performance.chat import measure_chat
from bench.performance.classify import measure_classify
from bench.performance.generators import measure_generators
from bench.performance.gpu import measure_gpu
from bench.performance.overhead import measure_overhead
from bench.performance.overload import measure_overload
from bench.performance.refusal import measure_refusal
from bench.performance.scaling import measure_scaling
from bench.performance.soak import measure_soak
from bench.performance.start import measure_start
from bench.quality.explain import measure_explain
from bench.quality.rail import measure_rail
from bench.reporting.pages import write_pages
from bench.reporting.records import begin_measurement
from bench.reporting.summary import print_summary
from bench.robustness.measurement import measure_robustness
from bench.security.hostile import measure_hostile
from bench.security.latency_leak import measure_latency_leak
from bench.small.chat import measure_small_chat
from bench.small.figures import measure_small
from bench.small.judge import measure_small_judge
from bench.small.overhead import measure_small_overhead

COMMANDS: dict[str, Callable[..., None]] = {
    "start": measure_start,
    "overhead": measure_overhead,
    "classify": measure_classify,
    "chat": measure_chat,
    "refusal": measure_refusal,
    "latency_leak": measure_latency_leak,
    "overload": measure_overload,
    "hostile": measure_hostile,
    "scaling": measure_scaling,
    "soak": measure_soak,
    "explain": measure_explain,
    "rail": measure_rail,
    "robustness": measure_robustness,
    "generators": measure_generators,
    "small": measure_small,
    "small_chat": measure_small_chat,
    "small_overhead": measure_small_overhead,
    "small_judge": measure_small_judge,
    "audit": measure_audit,
    "gpu": measure_gpu,
    "summary": print_summary,
    "pages": write_pages,
}
"""Measurements, and commands for their records, by their names in records and documentation."""


def main() -> None:
    """Run the measurement named on the command line."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_begin)
    for name, command in COMMANDS.items():
        app.command(name=name)(command)
    app()


def _begin() -> None:
    """Measurements of the running system; each prints a table and writes a dated JSON record, some a plot."""
    begin_measurement()


if __name__ == "__main__":
    main()
