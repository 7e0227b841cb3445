"""``safevlm evaluate``: evaluates a checkpoint on a suite and prints the report; imports torch only then."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safety_core.cli.common import NANO_CHECKPOINT, exit_on_error, find_checkpoint
from safety_core.cli.progress import show_progress

if TYPE_CHECKING:
    from safety_core.evaluation.runs.registered import RunRequest
    from safety_core.evaluation.suites.suite import Suite

BARS_NOT_CLEARED = 3
"""Exit status of ``safevlm evaluate --check-bars`` if a bar is not cleared; errors exit with 1."""

BUILD = Path("build")
"""Folder for the files and the report of a registered suite, unless options name another folder."""


def evaluate(
    suite: Annotated[Path, typer.Option(help="Folder of the suite, or the name of a registered one: nano, real.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoint directory; default: weights/safevlm-nano, of real safevlm-small.")
    ] = None,
    stage1: Annotated[Path | None, typer.Option(help="Checkpoint after stage 1, for the ablation rows.")] = None,
    first_token: Annotated[
        Path | None, typer.Option(help="Checkpoint with the public reference's head, for the rows of that head.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="policy.json to use instead of the checkpoint's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for report.json, report.md and verdicts.jsonl.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    resamples: Annotated[int, typer.Option(help="Number of bootstrap resamples.", min=1)] = 1000,
    batch_size: Annotated[int, typer.Option(help="Pairs in one forward pass.", min=1)] = 64,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    check_bars: Annotated[
        bool, typer.Option("--check-bars", help="Exit with status 3 unless all bars are cleared.")
    ] = False,
    bars: Annotated[Path | None, typer.Option(help="JSON file with bars instead of the shipped checkpoint's.")] = None,
    data: Annotated[Path | None, typer.Option(help="real: folder of the public sets, see docs.")] = None,
    split: Annotated[str, typer.Option(help="real: development or test.")] = "test",
    row: Annotated[
        list[str] | None, typer.Option(metavar="ROW=DIR", help="real: checkpoint of a row of its own, e.g. k0=DIR.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="real: a row to measure; repeatable. Default: all.")] = None,
    limit: Annotated[int | None, typer.Option(help="real: at most so many items of each sort.", min=1)] = None,
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show a progress bar.")] = True,
) -> None:
    """Evaluate a checkpoint, and the systems it is compared with, on one suite."""
    from safety_core.evaluation.runs.registered import RUNS, RunRequest, parse_rows
    from safety_core.evaluation.runs.run import EvaluationConfig
    from safety_core.evaluation.runs.run import evaluate as run
    from safety_core.evaluation.runs.systems import list_standard_systems
    from safety_core.evaluation.runs.tables import format_report
    from safety_core.evaluation.statistics.bars import DEFAULT_BARS, load_bars
    from safety_core.evaluation.suites.registry import SUITES, open_suite
    from safety_core.model.device import pick_device

    with exit_on_error():
        required_bars = load_bars(bars) if bars is not None else DEFAULT_BARS if check_bars else ()
        config = EvaluationConfig(
            seed=seed, resamples=resamples, batch_size=batch_size, device=str(pick_device(device))
        )
        if (name := str(suite)) in RUNS:
            registered = RUNS[name]
            request = RunRequest(
                checkpoint=find_checkpoint(checkpoint or registered.checkpoint),
                build=BUILD,
                out=out or BUILD / f"report-{name}" / split,
                data=data,
                split=split,
                rows=parse_rows(row or ()),
                only=tuple(only or ()),
                limit=limit,
                bars=None if bars is None else required_bars,
                check_bars=check_bars,
                config=config,
                command=_get_command(),
            )
            _run_registered(name, request, shown=progress)
            return
        checkpoint = checkpoint or NANO_CHECKPOINT
        source: Suite | Path = suite
        if name in SUITES:
            source = open_suite(name, BUILD / "suites")
            out = out or BUILD / f"report-{name}"
            stage1 = stage1 or _find_row("stage1", checkpoint)
            first_token = first_token or _find_row("first_token", checkpoint)
        rows = list_standard_systems(find_checkpoint(checkpoint), stage1=stage1, first_token=first_token, policy=policy)
        with show_progress(shown=progress) as advance:
            report = run(
                source, rows, out=out, bars=required_bars, config=config, command=_get_command(), progress=advance
            )
    typer.echo(format_report(report))
    if check_bars and not report.passed:
        raise typer.Exit(BARS_NOT_CLEARED)


def _run_registered(name: str, request: "RunRequest", *, shown: bool) -> None:
    """Run a registered evaluation and print its tables; exit by its bars if they are checked."""
    from dataclasses import replace

    from safety_core.evaluation.runs.registered import RUNS

    with show_progress(shown=shown) as advance:
        result = RUNS[name].run(replace(request, progress=advance))
    typer.echo(result.text)
    if request.check_bars and not result.passed:
        raise typer.Exit(BARS_NOT_CLEARED)


def _find_row(row: str, checkpoint: Path) -> Path | None:
    """Find the checkpoint of another table row next to the measured checkpoint; print an error if it is missing."""
    shipped = find_checkpoint(checkpoint)
    candidate = shipped.with_name(f"{shipped.name}-{row.replace('_', '-')}")
    if candidate.is_dir():
        return candidate
    typer.echo(f"left out: the rows of {row}, since {candidate} is not there", err=True)
    return None


def _get_command() -> list[str]:
    """Return the command line as the user types it, however the program was started."""
    return ["safevlm", *sys.argv[1:]]
