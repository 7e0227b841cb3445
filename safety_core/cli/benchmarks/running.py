"""``safevlm evaluate --suite NAME``: runs systems on a public benchmark; what the options mean, and what is printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from safety_core.cli.common import SMALL_CHECKPOINT, find_checkpoint, print_skipped
from safety_core.cli.progress import show_progress
from safety_core.errors import ConfigError

if TYPE_CHECKING:
    from safety_core.evaluation.benchmarks.endpoints.client import EndpointClient
    from safety_core.evaluation.benchmarks.judging.judge import Judge
    from safety_core.evaluation.benchmarks.running.answering import Mark
    from safety_core.evaluation.benchmarks.running.run import FinishedRun
    from safety_core.evaluation.benchmarks.systems.system import System
    from safety_core.taxonomy import Taxonomy

PROTOCOLS = ("chat", "moderation", "llama-guard")
JUDGES = ("rules", "model", "none")

ENDPOINT_KEY, JUDGE_KEY = "SAFEVLM_ENDPOINT_KEY", "SAFEVLM_JUDGE_KEY"
"""Environment variables of API keys, unless options name others."""

JUDGE_MAX_TOKENS = 1_000_000

BARE = "bare"
"""Name of the system that is a checkpoint's backbone without the guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkCommand:
    """The options of one command."""

    suite: str
    data: Path | None
    build: Path
    out: Path | None
    split: str | None
    limit: int | None
    seed: int
    skip_bad: bool
    taxonomy: Path | None
    checkpoint: Path | None
    policy: Path | None
    bare: bool
    judge_only: bool
    device: str
    read_pictures: Any
    max_tokens: int
    system: str | None
    corpus: Path | None
    endpoint: str | None
    protocol: str | None
    model: str | None
    key_variable: str
    timeout_s: float
    guard_prompt: Path | None
    guard_categories: Path | None
    judges: Sequence[str]
    judge_endpoint: str | None
    judge_model: str | None
    judge_key_variable: str
    judge_max_tokens: int
    judge_pictures: bool
    rubrics: Sequence[str]
    workers: int
    resamples: int
    command: Sequence[str]
    progress: bool


def is_benchmark(suite: Path) -> bool:
    """Whether a suite is named, and no folder of a suite has this name."""
    from safety_core.evaluation.benchmarks.suites.catalogue import SUITES

    return str(suite) in SUITES and not (suite / "suite.json").is_file()


def run_benchmark_command(options: BenchmarkCommand) -> None:
    """Run the systems of a command one after the other, and print where their results are.

    Raises:
        SafeVLMError: options contradict each other, or something is missing or malformed.
    """
    from safety_core.evaluation.benchmarks.running.run import RunOptions, run_benchmark
    from safety_core.evaluation.benchmarks.suites.opening import open_suite
    from safety_core.taxonomy import read_taxonomy

    _check(options)
    folder = options.out or options.build / "benchmarks" / _name_suite(options)
    taxonomy = read_taxonomy(options.taxonomy)
    suite = open_suite(
        options.suite,
        options.data,
        cache=folder / "pictures",
        taxonomy=taxonomy,
        split=options.split,
        limit=options.limit,
        seed=options.seed,
        skip_bad=options.skip_bad,
    )
    print_skipped(suite.skipped)
    with _open_systems(options, taxonomy) as systems, _open_judges(options) as judges:
        finished: list[FinishedRun] = []
        mark = _create_mark(options, systems)
        with show_progress(shown=options.progress) as advance:
            for system in systems:
                finished.append(
                    run_benchmark(
                        folder / _name_folder(system),
                        suite,
                        system,
                        RunOptions(
                            judges=judges,
                            mark=mark,
                            workers=options.workers,
                            seed=options.seed,
                            command=[_hide_path(word) for word in options.command],
                            settings=_list_settings(options),
                            progress=advance,
                        ),
                    )
                )
    for run in finished:
        _print_run(run)
    bare = next((run.folder for run in finished if run.run.system.name == BARE), None)
    for run in finished:
        _write_report(run, options, bare if bare != run.folder else None)


def _check(options: BenchmarkCommand) -> None:
    """Reject options that contradict each other."""
    if options.endpoint is not None and options.system is not None:
        raise ConfigError("--endpoint and --system: one of them is needed at most")
    if (options.endpoint is None) != (options.protocol is None):
        raise ConfigError(f"--endpoint and --as belong together; --as is one of {', '.join(PROTOCOLS)}")
    if options.protocol is not None and options.protocol not in PROTOCOLS:
        raise ConfigError(f"--as: must be one of {', '.join(PROTOCOLS)}, got {options.protocol!r}")
    if (options.bare or options.judge_only) and (options.endpoint or options.system):
        raise ConfigError("--bare and --judge-only are for checkpoints")
    if options.workers > 1 and options.endpoint is None and "model" not in options.judges:
        raise ConfigError("--workers: only endpoints and the judge model are asked several things at a time")
    if unknown := set(options.judges) - set(JUDGES):
        raise ConfigError(f"--judge: must be one of {', '.join(JUDGES)}, got {sorted(unknown)}")
    if "model" in options.judges and (options.judge_endpoint is None or options.judge_model is None):
        raise ConfigError("--judge model needs --judge-endpoint and --judge-model")
    if options.rubrics:
        from safety_core.evaluation.benchmarks.judging.rubrics import RUBRICS

        if unknown := set(options.rubrics) - set(RUBRICS):
            raise ConfigError(f"--rubric: must be one of {', '.join(RUBRICS)}, got {sorted(unknown)}")


@contextmanager
def _open_systems(options: BenchmarkCommand, taxonomy: Taxonomy) -> Iterator[Sequence[System]]:
    """Load the systems of a command."""
    if options.endpoint is not None:
        with _open_client(options.endpoint, options.key_variable, options.timeout_s) as client:
            yield [_create_endpoint_system(options, client, taxonomy)]
    elif options.system is not None:
        from safety_core.evaluation.benchmarks.systems.baselines.registered import BaselineRequest, load_baseline

        request = BaselineRequest(
            name=options.system,
            build=options.build / "safevlm-small",
            corpus=options.corpus,
            checkpoint=find_checkpoint(options.checkpoint or SMALL_CHECKPOINT),
            device=_pick_device(options.device),
        )
        yield [load_baseline(request)]
    else:
        from safety_core.evaluation.benchmarks.systems.checkpoints import CheckpointRequest, load_checkpoint_systems

        yield load_checkpoint_systems(
            CheckpointRequest(
                checkpoint=find_checkpoint(options.checkpoint or SMALL_CHECKPOINT),
                policy=options.policy,
                judge_only=options.judge_only,
                bare=options.bare,
                max_tokens=options.max_tokens,
                device=options.device,
                read_pictures=options.read_pictures,
            ),
            taxonomy,
        )


def _create_endpoint_system(options: BenchmarkCommand, client: EndpointClient, taxonomy: Taxonomy) -> System:
    from safety_core.evaluation.benchmarks.systems.protocols.category_names import GUARD_CATEGORIES
    from safety_core.evaluation.benchmarks.systems.protocols.chat import ChatEndpoint
    from safety_core.evaluation.benchmarks.systems.protocols.guard_model import GuardModelEndpoint, read_prompt
    from safety_core.evaluation.benchmarks.systems.protocols.moderation import ModerationEndpoint

    if options.protocol == "moderation":
        return ModerationEndpoint(client, model=options.model, name=options.model or "moderation", taxonomy=taxonomy)
    model = options.model or client.find_model()
    if options.protocol == "chat":
        return ChatEndpoint(client, model=model, name=model, max_tokens=options.max_tokens)
    categories = GUARD_CATEGORIES
    if options.guard_categories is not None:
        from safety_core.evaluation.benchmarks.systems.protocols.category_names import read_categories

        categories = read_categories(options.guard_categories, taxonomy)
    prompt = None if options.guard_prompt is None else read_prompt(options.guard_prompt)
    return GuardModelEndpoint(client, model=model, name=model, categories=categories, prompt=prompt)


@contextmanager
def _open_judges(options: BenchmarkCommand) -> Iterator[Sequence[Callable[[Path], Judge]]]:
    """Yield what creates the judges for a run's folder."""
    from safety_core.evaluation.benchmarks.judging.budget import TokenBudget
    from safety_core.evaluation.benchmarks.judging.judging_run import count_spent
    from safety_core.evaluation.benchmarks.judging.model_judge import JudgeOptions, ModelJudge
    from safety_core.evaluation.benchmarks.judging.rule_judge import RuleJudge

    judges: list[Callable[[Path], Judge]] = [lambda folder: RuleJudge()] if "rules" in options.judges else []
    if "model" not in options.judges:
        yield judges
        return
    assert options.judge_endpoint is not None, "checked before"
    assert options.judge_model is not None, "checked before"
    settings = JudgeOptions(
        model=options.judge_model, rubrics=tuple(options.rubrics), shows_pictures=options.judge_pictures
    )
    with _open_client(options.judge_endpoint, options.judge_key_variable, options.timeout_s) as client:

        def create(folder: Path) -> Judge:
            judge = ModelJudge(client, settings, TokenBudget(options.judge_max_tokens))
            budget = TokenBudget(options.judge_max_tokens, spent=count_spent(folder, judge.name))
            return ModelJudge(client, settings, budget)

        yield [*judges, create]


def _open_client(url: str, key_variable: str, timeout_s: float) -> EndpointClient:
    from safety_core.evaluation.benchmarks.endpoints.client import EndpointClient, EndpointSettings

    return EndpointClient(EndpointSettings(url=url, key_variable=key_variable, timeout_s=timeout_s))


def _create_mark(options: BenchmarkCommand, systems: Sequence[System]) -> Mark | None:
    """Create what marks the items that a checkpoint was trained on; None if nothing is known."""
    if any(system.info.kind != "checkpoint" for system in systems):
        return None
    from safety_core.evaluation.benchmarks.suites.items import Item
    from safety_core.evaluation.benchmarks.training_rows.marking import TrainingRowMarker

    marker = TrainingRowMarker.load(find_checkpoint(options.checkpoint or SMALL_CHECKPOINT))
    if marker is None:
        typer.echo("note: the checkpoint has no fingerprints of its training rows, so no item is marked", err=True)
        return None

    def mark(item: Item) -> Any:
        return marker.mark(
            source=item.source,
            item_id=item.id,
            turns=[turn.text for turn in item.turns if turn.role == "user"],
            pictures=[picture.path for picture in item.pictures],
        )

    return mark


def _list_settings(options: BenchmarkCommand) -> dict[str, Any]:
    """List the options that influence results, without paths."""
    settings: dict[str, Any] = {"limit": options.limit, "split": options.split}
    if options.protocol != "moderation" and options.system is None and not options.judge_only:
        settings["max_tokens"] = options.max_tokens
    if options.endpoint is None and options.system is None:
        settings |= {"judge_only": options.judge_only, "read_pictures": options.read_pictures}
    if options.guard_prompt is not None:
        settings["guard_prompt"] = options.guard_prompt.name
    return settings


def _name_suite(options: BenchmarkCommand) -> str:
    """Name the folder of a suite's runs; another choice of items has another name."""
    parts = [options.suite, options.split, None if options.limit is None else f"{options.limit}-of-seed-{options.seed}"]
    if options.suite == "jsonl" and options.data is not None:
        parts.insert(1, options.data.stem)
    return "-".join(part for part in parts if part)


def _name_folder(system: System) -> str:
    info = system.info
    parts = [info.model if info.kind == "checkpoint" else None, info.name, info.protocol]
    return re.sub(r"[^\w.-]+", "-", "-".join(part for part in parts if part)).strip("-.") or "system"


def _hide_path(word: str) -> str:
    """Reduce an absolute path in a word of the command line to the name of its file."""
    return "=".join(Path(part).name if part.startswith("/") else part for part in word.split("="))


def _pick_device(device: str) -> str:
    from safety_core.model.device import pick_device

    return str(pick_device(device))


def _write_report(run: FinishedRun, options: BenchmarkCommand, bare: Path | None) -> None:
    """Write the report of a run; without what it needs, say so, since the run is complete without it."""
    from safety_core.evaluation.benchmarks.reporting.run_report import ReportOptions
    from safety_core.evaluation.benchmarks.reporting.writing import HTML_FILE, write_report

    try:
        write_report(run.folder, ReportOptions(bare=bare, seed=options.seed, resamples=options.resamples))
    except ConfigError as error:
        typer.echo(f"note: no report of {run.folder}: {error}", err=True)
    else:
        typer.echo(f"report: {run.folder / HTML_FILE}")


def _print_run(run: FinishedRun) -> None:
    """Print what a run contains, and the scores of an ability suite."""
    from safety_core.evaluation.benchmarks.suites.abilities.scores import compute_ability_scores
    from safety_core.evaluation.benchmarks.suites.catalogue import SUITES

    errors = sum(result.error is not None for result in run.results)
    unscored = sum(line.unscored is not None for line in run.judgements)
    typer.echo(f"{run.folder}: {len(run.results)} items, {errors} without an answer")
    if run.judgements:
        typer.echo(f"  {len(run.judgements)} judgements, {unscored} unscored")
    if SUITES[run.run.suite.name].kind != "ability":
        return
    for name, score in compute_ability_scores(run.run.suite.name, run.results).items():
        if "/" not in name or name.startswith("score/"):
            value = "–" if score.value is None else f"{score.value:.4g}"
            typer.echo(f"  {name} {value} ({score.scored} scored, {score.unscored} unscored)")
