"""``python -m bench NAME``: one measurement."""

import typer

from bench.chat import chat
from bench.classify import classify
from bench.explain import explain
from bench.generators import generators
from bench.gpu import gpu
from bench.hostile import hostile
from bench.latency_leak import latency_leak
from bench.overhead import overhead
from bench.overload import overload
from bench.pages import pages
from bench.rail import rail
from bench.refusal import refusal
from bench.results import begin
from bench.robustness import robustness
from bench.scaling import scaling
from bench.soak import soak
from bench.start import start
from bench.summary import summary

MEASUREMENTS = (
    start,
    overhead,
    classify,
    chat,
    refusal,
    latency_leak,
    overload,
    hostile,
    scaling,
    soak,
    explain,
    rail,
    robustness,
    generators,
    gpu,
    summary,
    pages,
)


def main() -> None:
    """Run one measurement."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_root)
    for measure in MEASUREMENTS:
        app.command(name=measure.__name__)(measure)  # as the records and the pages call it
    app()


def _root() -> None:
    """Measurements of the running system; each prints a table and writes dated JSON, some a plot."""
    begin()


if __name__ == "__main__":
    main()
