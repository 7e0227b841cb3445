"""``safevlm evaluate`` and ``safevlm calibrate``: flags in, tables out; torch only once there is something to run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safety_core.cli.common import SHIPPED_CHECKPOINT, errors_as_exits, find_checkpoint

if TYPE_CHECKING:
    from safety_core.evaluation.runs.run import SystemProgress
    from safety_core.evaluation.suites.suite import Suite

BARS_NOT_CLEARED = 3
"""Exit status of ``safevlm evaluate --check-bars`` where a bar is not cleared; errors exit with 1."""

BUILD = Path("build")
"""Folder for the files and the report of a registered suite, unless options name another."""

Checkpoint = Annotated[Path, typer.Option(help="Checkpoint directory.")]


def evaluate(
    suite: Annotated[Path, typer.Option(help="Folder of the suite, or the name of a registered one: nano.")],
    checkpoint: Checkpoint = SHIPPED_CHECKPOINT,
    stage1: Annotated[Path | None, typer.Option(help="Checkpoint after stage 1, for the rows of the ablation.")] = None,
    first_token: Annotated[Path | None, typer.Option(help="Checkpoint with the public reference's head.")] = None,
    policy: Annotated[Path | None, typer.Option(help="policy.json in place of the checkpoint's own.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for report.json, report.md and verdicts.jsonl.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    resamples: Annotated[int, typer.Option(help="Draws of the bootstrap.", min=1)] = 1000,
    batch_size: Annotated[int, typer.Option(help="Pairs in one forward pass.", min=1)] = 64,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    check_bars: Annotated[
        bool, typer.Option("--check-bars", help="Exit with status 3 unless all are cleared.")
    ] = False,
    bars: Annotated[Path | None, typer.Option(help="JSON bars in place of the shipped checkpoint's.")] = None,
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show progress.")] = True,
) -> None:
    """Measure a checkpoint, and the rows it is compared with, on one suite."""
    from safety_core.evaluation.runs.run import EvaluationConfig
    from safety_core.evaluation.runs.run import evaluate as run
    from safety_core.evaluation.runs.systems import list_standard_systems
    from safety_core.evaluation.runs.tables import format_report
    from safety_core.evaluation.statistics.bars import DEFAULT_BARS, load_bars
    from safety_core.evaluation.suites.registry import SUITES, open_suite
    from safety_core.model.device import pick_device

    with errors_as_exits():
        wanted = load_bars(bars) if bars is not None else DEFAULT_BARS if check_bars else ()
        config = EvaluationConfig(
            seed=seed, resamples=resamples, batch_size=batch_size, device=str(pick_device(device))
        )
        source: Suite | Path = suite
        if (name := str(suite)) in SUITES:
            source = open_suite(name, BUILD / "suites")
            out = out or BUILD / f"report-{name}"
            stage1 = stage1 or _find_row("stage1", checkpoint)
            first_token = first_token or _find_row("first_token", checkpoint)
        rows = list_standard_systems(find_checkpoint(checkpoint), stage1=stage1, first_token=first_token, policy=policy)
        with _progress(shown=progress) as tell:
            report = run(source, rows, out=out, bars=wanted, config=config, command=_command(), progress=tell)
    typer.echo(format_report(report))
    if check_bars and not report.passed:
        raise typer.Exit(BARS_NOT_CLEARED)


def calibrate(
    checkpoint: Checkpoint,
    data: Annotated[Path, typer.Option(help="JSONL split that the modules were not trained on.")],
    false_refusals: Annotated[float, typer.Option(help="Share of answerable pairs that may be refused.")] = 0.01,
    false_cautions: Annotated[float, typer.Option(help="Share of milder pairs that may be cautioned.")] = 0.01,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the thresholds without writing them.")] = False,
) -> None:
    """Choose a checkpoint's thresholds; rewrites its policy.json and its manifest."""
    from safety_core.evaluation.calibration.calibrate import CalibrationGoal, calibrate_checkpoint
    from safety_core.model.device import pick_device

    with errors_as_exits():
        result = calibrate_checkpoint(
            find_checkpoint(checkpoint),
            data,
            goal=CalibrationGoal(false_refusals=false_refusals, false_cautions=false_cautions),
            device=str(pick_device(device)),
            write=not dry_run,
        )
    for name, levels in result.policy.thresholds.items():
        typer.echo(f"{name:20} " + "  ".join(f"{level}: {value:.4f}" for level, value in sorted(levels.items())))
    typer.echo(
        f"{result.false_refusals} of {result.answerable} answerable pairs refused, "
        f"{result.missed_refusals} of {result.refusable} pairs of the worst level missed, "
        f"{result.false_cautions} of {result.harmless} harmless pairs cautioned"
    )


def _find_row(row: str, checkpoint: Path) -> Path | None:
    """Find the checkpoint of another row of the table beside the measured one; report on standard error if missing."""
    shipped = find_checkpoint(checkpoint)
    beside = shipped.with_name(f"{shipped.name}-{row.replace('_', '-')}")
    if beside.is_dir():
        return beside
    typer.echo(f"left out: the rows of {row}, since {beside} is not there", err=True)
    return None


def _command() -> list[str]:
    """The command line as people type it, however the program was started."""
    return ["safevlm", *sys.argv[1:]]


@contextmanager
def _progress(*, shown: bool) -> Iterator["SystemProgress | None"]:
    """A bar for each row on standard error, where the tables do not go."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(row: str, done: int, total: int) -> None:
            if row not in tasks:
                tasks[row] = bars.add_task(row, total=total)
            bars.update(tasks[row], completed=done)

        yield tell
