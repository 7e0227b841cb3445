"""``safevlm evaluate``: evaluates a checkpoint on a suite and prints the report; imports torch only then."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safety_core.cli.benchmarks.reporting import compare, report
from safety_core.cli.benchmarks.running import (
    ENDPOINT_KEY,
    JUDGE_KEY,
    JUDGE_MAX_TOKENS,
    BenchmarkCommand,
    is_benchmark,
    run_benchmark_command,
)
from safety_core.cli.common import NANO_CHECKPOINT, READ_PICTURES, exit_on_error, find_checkpoint
from safety_core.cli.progress import show_progress

if TYPE_CHECKING:
    from safety_core.evaluation.runs.registered import RunRequest
    from safety_core.evaluation.suites.suite import Suite

BARS_NOT_CLEARED = 3
"""Exit status of ``safevlm evaluate --check-bars`` if a bar is not cleared; errors exit with 1."""

app = typer.Typer(invoke_without_command=True)
app.command("compare")(compare)
app.command("report")(report)

_B = "Public benchmarks: "

BUILD = Path("build")
"""Folder for the files and the report of a registered suite, unless options name another folder."""


@app.callback()
def evaluate(
    context: typer.Context,
    suite: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the suite, or its name: nano, real, rtvlm, vlguard, mm-safetybench, figstep, spa-vl, "
            "xstest, harmbench, mme, mmbench, seed, pope, jsonl."
        ),
    ] = None,
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
    data: Annotated[
        Path | None,
        typer.Option(help="real and public benchmarks: folder of the data; without it, the command says where from."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Part of the data; real: development or test.")] = None,
    row: Annotated[
        list[str] | None, typer.Option(metavar="ROW=DIR", help="real: checkpoint of a row of its own, e.g. k0=DIR.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="real: a row to measure; repeatable. Default: all.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(help="At most so many items; real: of each sort; else from every category, by --seed.", min=1),
    ] = None,
    bare: Annotated[bool, typer.Option("--bare", help=_B + "also measure the backbone without the guard.")] = False,
    judge_only: Annotated[bool, typer.Option("--judge-only", help=_B + "verdicts only, no replies.")] = False,
    read_pictures: Annotated[str, READ_PICTURES] = "auto",
    max_tokens: Annotated[int, typer.Option(help=_B + "most tokens of a reply.", min=1)] = 128,
    taxonomy: Annotated[Path | None, typer.Option(help="jsonl: JSON file with types and levels.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help=_B + "skip malformed records.")] = False,
    system: Annotated[
        str | None, typer.Option(help=_B + "a baseline instead: tfidf, minilm, judge or profanity.")
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="tfidf, minilm, judge: folder of the public sets.")] = None,
    endpoint: Annotated[str | None, typer.Option(help=_B + "URL of an OpenAI-compatible server instead.")] = None,
    protocol: Annotated[str | None, typer.Option("--as", help="Endpoint: chat, moderation or llama-guard.")] = None,
    model: Annotated[str | None, typer.Option(help="Endpoint: name of the model.")] = None,
    key_variable: Annotated[str, typer.Option(help="Endpoint: environment variable with the API key.")] = ENDPOINT_KEY,
    timeout: Annotated[float, typer.Option(help="Endpoint: seconds to wait for one response.", min=1)] = 120,
    guard_prompt: Annotated[
        Path | None, typer.Option(help="llama-guard: text with {conversation}, for guards without a template.")
    ] = None,
    guard_categories: Annotated[
        Path | None, typer.Option(help="llama-guard: JSON object, category to risk type.")
    ] = None,
    judge: Annotated[
        list[str] | None, typer.Option(help=_B + "who judges replies: rules, model, none; repeatable. Default: rules.")
    ] = None,
    judge_endpoint: Annotated[str | None, typer.Option(help="Judge model: URL of its server.")] = None,
    judge_model: Annotated[str | None, typer.Option(help="Judge model: its name.")] = None,
    judge_key_variable: Annotated[
        str, typer.Option(help="Judge model: environment variable with the API key.")
    ] = JUDGE_KEY,
    judge_max_tokens: Annotated[
        int, typer.Option(help="Judge model: most tokens of a run, over all its resumptions.", min=0)
    ] = JUDGE_MAX_TOKENS,
    judge_pictures: Annotated[
        bool, typer.Option("--judge-pictures", help="Judge model: send it the pictures as well.")
    ] = False,
    rubric: Annotated[
        list[str] | None, typer.Option(help="Judge model: a rubric to apply; repeatable. Default: all that fit.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Endpoint, judge model: requests at a time.", min=1, max=64)] = 1,
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show a progress bar.")] = True,
) -> None:
    """Evaluate a checkpoint, and the systems it is compared with, on one suite."""
    if context.invoked_subcommand is not None:
        return
    if suite is None:
        raise typer.BadParameter("a suite is needed", param_hint="--suite")
    if is_benchmark(suite):
        with exit_on_error():
            run_benchmark_command(
                BenchmarkCommand(
                    suite=str(suite),
                    data=data,
                    build=BUILD,
                    out=out,
                    split=split,
                    limit=limit,
                    seed=seed,
                    skip_bad=skip_bad,
                    taxonomy=taxonomy,
                    checkpoint=checkpoint,
                    policy=policy,
                    bare=bare,
                    judge_only=judge_only,
                    device=device,
                    read_pictures=read_pictures,
                    max_tokens=max_tokens,
                    system=system,
                    corpus=corpus,
                    endpoint=endpoint,
                    protocol=protocol,
                    model=model,
                    key_variable=key_variable,
                    timeout_s=timeout,
                    guard_prompt=guard_prompt,
                    guard_categories=guard_categories,
                    judges=tuple(judge or ("rules",)),
                    judge_endpoint=judge_endpoint,
                    judge_model=judge_model,
                    judge_key_variable=judge_key_variable,
                    judge_max_tokens=judge_max_tokens,
                    judge_pictures=judge_pictures,
                    rubrics=tuple(rubric or ()),
                    workers=workers,
                    resamples=resamples,
                    command=_get_command(),
                    progress=progress,
                )
            )
        return
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
                out=out or BUILD / f"report-{name}" / (split or "test"),
                data=data,
                split=split or "test",
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
