"""``safevlm calibrate``: chooses the thresholds of a checkpoint, with a guarantee or by a search, and checks them."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from safety_core.cli.checkpoints.calibration_report import (
    format_certified,
    format_counts,
    format_proposal,
    format_shift,
    format_thresholds,
    format_validation,
)
from safety_core.cli.common import exit_on_error, find_checkpoint, read_bytes
from safety_core.errors import ConfigError
from safety_core.files import write_text
from safety_core.policy.guarantee import GuaranteeMethod
from safety_core.policy.policy import Policy

if TYPE_CHECKING:
    from safety_core.evaluation.calibration.certification.promises import Promise
    from safety_core.evaluation.calibration.scores.score_file import StoredScores
    from safety_core.taxonomy import Taxonomy

NOT_KEPT = 3
"""Exit status of ``safevlm calibrate validate`` if the promise is broken significantly often; errors exit with 1."""

app = typer.Typer(invoke_without_command=True)


class Method(StrEnum):
    """How thresholds are chosen."""

    LEARN_THEN_TEST = "learn-then-test"
    RISK_CONTROL = "risk-control"
    SEARCH = "search"


class PerGroup(StrEnum):
    """What is tested of each group of near-duplicates."""

    ONE = "one"
    MEAN = "mean"


_Alpha = Annotated[float | None, typer.Option(help="Maximum rate of false refusals that is promised. Default: 0.01.")]
_AlphaCautions = Annotated[
    float | None, typer.Option(help="Maximum rate of false cautions that is promised. Default: that of --alpha.")
]
_Delta = Annotated[
    float | None, typer.Option(help="Maximum probability that a promised rate is exceeded. Default: 0.1.")
]
_PerGroup = Annotated[
    PerGroup,
    typer.Option(help="Test one pair of each group of near-duplicates, or the mean of each group."),
]
_ByType = Annotated[
    bool, typer.Option("--by-type/--all-types", help="Thresholds for each type, or the same ones for all.")
]
_Seed = Annotated[int, typer.Option(help="Seed of the split into search and test.", min=0)]
_Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
_Checkpoint = Annotated[Path | None, typer.Option(help="Checkpoint directory.")]
_Data = Annotated[Path | None, typer.Option(help="JSONL file with samples that the modules were not trained on.")]
_Scores = Annotated[
    Path | None,
    typer.Option(help="File of scores, without any text; written if it does not exist, and read otherwise."),
]
_Guaranteed = Annotated[
    GuaranteeMethod, typer.Option("--method", help="learn-then-test: with probability; risk-control: on average.")
]


@app.callback()
def calibrate(
    context: typer.Context,
    checkpoint: _Checkpoint = None,
    data: _Data = None,
    scores: _Scores = None,
    alpha: _Alpha = None,
    alpha_cautions: _AlphaCautions = None,
    delta: _Delta = None,
    method: Annotated[
        Method | None,
        typer.Option(
            help="learn-then-test: a guarantee with probability 1 - delta; risk-control: one on average; search: "
            "within budgets on these data, without a guarantee. Default: learn-then-test, or search if a budget is "
            "given."
        ),
    ] = None,
    per_group: _PerGroup = PerGroup.ONE,
    false_refusals: Annotated[
        float | None,
        typer.Option(help="search: maximum share of answerable pairs that are refused. Default: 0.01."),
    ] = None,
    false_cautions: Annotated[
        float | None,
        typer.Option(help="search: maximum share of pairs below the caution level that are cautioned. Default: 0.01."),
    ] = None,
    refusal_exchange: Annotated[float, typer.Option(help="Cost of a false refusal, in misses.")] = 0.5,
    caution_exchange: Annotated[float, typer.Option(help="Cost of a false caution, in misses.")] = 1.0,
    by_type: _ByType = True,
    seed: _Seed = 0,
    device: _Device = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the thresholds without writing them.")] = False,
    from_audit_log: Annotated[
        Path | None,
        typer.Option(help="Audit log of a server: print thresholds for its traffic as a policy file, change nothing."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV file with the columns request_id and confirmed_level, and optionally item and group."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Policy file of that server (SAFEVLM_POLICY), if it has one.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Earliest decision, in ISO 8601: after the last change of the checkpoint.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Write the proposed policy file, over any file there.")] = None,
) -> None:
    """Recalibrate a checkpoint's scores and choose its thresholds; rewrites safevlm.json, policy.json and manifest."""
    if context.invoked_subcommand is not None:
        return
    if checkpoint is None:
        raise typer.BadParameter("--checkpoint is needed")
    budgets = {"false_refusals": false_refusals, "false_cautions": false_cautions}
    given = {name: value for name, value in budgets.items() if value is not None}
    promised = [value for value in (alpha, alpha_cautions, delta) if value is not None]
    method = method or (Method.SEARCH if given else Method.LEARN_THEN_TEST)
    if method is Method.SEARCH and (promised or scores or from_audit_log):
        raise typer.BadParameter("a search within budgets knows no alpha and delta, no file of scores and no audit log")
    if method is not Method.SEARCH and given:
        raise typer.BadParameter("budgets are for --method search; --alpha and --alpha-cautions limit promised rates")
    with exit_on_error():
        if method is Method.SEARCH:
            goal = {"refusal_exchange": refusal_exchange, "caution_exchange": caution_exchange, **given}
            _search(find_checkpoint(checkpoint), data, goal, by_type=by_type, device=device, write=not dry_run)
            return
        promise = _create_promise(
            GuaranteeMethod(method.value),
            alpha,
            alpha_cautions,
            delta,
            per_group=per_group,
            by_type=by_type,
            seed=seed,
            refusal_exchange=refusal_exchange,
            caution_exchange=caution_exchange,
        )
        found = find_checkpoint(checkpoint)
        if from_audit_log is not None:
            _propose(found, from_audit_log, labels, promise, policy=policy, since=since, out=write)
            return
        if data is None:
            raise typer.BadParameter("--data is needed")
        from safety_core.evaluation.calibration.calibrate import certify_checkpoint
        from safety_core.model.device import pick_device

        certified = certify_checkpoint(
            found,
            data,
            promise,
            scores=scores,
            device=str(pick_device(device)),
            write=not dry_run,
        )
    for line in format_certified(certified):
        typer.echo(line)


@app.command()
def validate(
    scores: _Scores = None,
    checkpoint: _Checkpoint = None,
    data: _Data = None,
    splits: Annotated[int, typer.Option(help="Number of splits.", min=1)] = 100,
    alpha: _Alpha = None,
    alpha_cautions: _AlphaCautions = None,
    delta: _Delta = None,
    method: _Guaranteed = GuaranteeMethod.LEARN_THEN_TEST,
    per_group: _PerGroup = PerGroup.ONE,
    by_type: _ByType = True,
    seed: _Seed = 0,
    device: _Device = "auto",
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show the progress.")] = True,
) -> None:
    """Check the promise on repeated splits in half; exits with status 3 if it is broken significantly often."""
    from safety_core.evaluation.calibration.validation import validate_splits

    with exit_on_error():
        promise = _create_promise(method, alpha, alpha_cautions, delta, per_group=per_group, by_type=by_type, seed=seed)
        stored = _get_scores(scores, checkpoint, data, device)
        with _show_progress("splits", shown=progress) as advance:
            validation = validate_splits(
                stored.table, stored.policy, promise, splits=splits, seed=seed, progress=advance
            )
    for line in format_validation(validation):
        typer.echo(line)
    if not validation.kept:
        raise typer.Exit(NOT_KEPT)


@app.command()
def shift(
    scores: _Scores = None,
    checkpoint: _Checkpoint = None,
    data: _Data = None,
    alpha: _Alpha = None,
    alpha_cautions: _AlphaCautions = None,
    delta: _Delta = None,
    method: _Guaranteed = GuaranteeMethod.LEARN_THEN_TEST,
    per_group: _PerGroup = PerGroup.ONE,
    by_type: _ByType = True,
    seed: _Seed = 0,
    device: _Device = "auto",
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show the progress.")] = True,
) -> None:
    """Choose thresholds without each data set in turn, and measure them on it; prints a Markdown table."""
    from safety_core.evaluation.calibration.validation import measure_shift

    with exit_on_error():
        promise = _create_promise(method, alpha, alpha_cautions, delta, per_group=per_group, by_type=by_type, seed=seed)
        stored = _get_scores(scores, checkpoint, data, device)
        with _show_progress("data sets", shown=progress) as advance:
            rates = measure_shift(stored.table, stored.policy, promise, progress=advance)
    for line in format_shift(rates):
        typer.echo(line)


def _create_promise(
    method: GuaranteeMethod,
    alpha: float | None,
    alpha_cautions: float | None,
    delta: float | None,
    *,
    per_group: PerGroup,
    by_type: bool,
    seed: int,
    refusal_exchange: float = 0.5,
    caution_exchange: float = 1.0,
) -> "Promise":
    from safety_core.evaluation.calibration.certification.promises import Promise

    tested: Literal["one", "mean"] = "one" if per_group is PerGroup.ONE else "mean"
    return Promise(
        alpha=0.01 if alpha is None else alpha,
        alpha_cautions=alpha_cautions,
        delta=0.1 if delta is None else delta,
        method=method,
        per_group=tested,
        by_type=by_type,
        refusal_exchange=refusal_exchange,
        caution_exchange=caution_exchange,
        seed=seed,
    )


def _get_scores(scores: Path | None, checkpoint: Path | None, data: Path | None, device: str) -> "StoredScores":
    """Read a file of scores, or compute it if a checkpoint and data are named."""
    if checkpoint is not None and data is not None:
        from safety_core.evaluation.calibration.calibrate import load_or_compute_scores
        from safety_core.model.device import pick_device

        found = find_checkpoint(checkpoint)
        return load_or_compute_scores(found, data, scores=scores, device=str(pick_device(device)))
    if scores is None:
        raise typer.BadParameter("--scores is needed, or --checkpoint and --data")
    from safety_core.evaluation.calibration.scores.score_file import read_scores

    return read_scores(scores)


def _search(
    checkpoint: Path, data: Path | None, goal: dict[str, float], *, by_type: bool, device: str, write: bool
) -> None:
    """Search within budgets on the data, and print the result."""
    if data is None:
        raise typer.BadParameter("--data is needed")
    from safety_core.evaluation.calibration.budget_search import CalibrationGoal
    from safety_core.evaluation.calibration.calibrate import calibrate_checkpoint
    from safety_core.model.device import pick_device

    result = calibrate_checkpoint(
        checkpoint,
        data,
        goal=CalibrationGoal(**goal, by_type=by_type),
        device=str(pick_device(device)),
        write=write,
    )
    for line in (*format_thresholds(result.policy), format_counts(result.counts)):
        typer.echo(line)


def _propose(
    checkpoint: Path,
    log: Path,
    labels: Path | None,
    promise: "Promise",
    *,
    policy: Path | None,
    since: str | None,
    out: Path | None,
) -> None:
    """Print the thresholds that an audit log proposes, and write them only if a file is named."""
    from safety_core.evaluation.calibration.audit_log_labels import propose_thresholds, read_labels

    if labels is None:
        raise typer.BadParameter("--labels is needed: levels that people confirmed")
    base, taxonomy = _read_policy_in_force(checkpoint, policy)
    proposal = propose_thresholds(
        log,
        read_labels(labels, taxonomy),
        base,
        taxonomy,
        promise,
        checkpoint=checkpoint.name,
        since=_parse_time(since),
        data=hashlib.sha256(read_bytes(labels)).hexdigest(),
    )
    text = "\n".join(format_proposal(proposal, base))
    typer.echo(text)
    if out is not None:
        write_text(out, text + "\n")


def _read_policy_in_force(checkpoint: Path, policy: Path | None) -> "tuple[Policy, Taxonomy]":
    """Read the default policy of a server, and the taxonomy of its checkpoint, from text files only."""
    from safety_core.model.checkpoint.sha256_manifest import check_manifest
    from safety_core.model.spec import POLICY_FILE, read_spec
    from safety_core.policy.documents import load_policy
    from safety_core.policy.loader import read_book

    check_manifest(checkpoint)
    taxonomy = read_spec(checkpoint).taxonomy
    own = load_policy(checkpoint / POLICY_FILE, taxonomy)
    return (own if policy is None else read_book(policy, own, taxonomy).select().policy), taxonomy


def _parse_time(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ConfigError(f"since: {text!r} is not a time in ISO 8601") from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@contextmanager
def _show_progress(title: str, *, shown: bool) -> "Iterator[Callable[[int, int], None] | None]":
    """Show a progress bar with the remaining time on standard error."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)
