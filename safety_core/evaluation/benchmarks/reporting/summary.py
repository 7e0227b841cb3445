"""A run in plain words: what was measured, what came out, and what a reader must know before believing it."""

from __future__ import annotations

from collections.abc import Iterator

from safety_core.evaluation.benchmarks.figures.named_figures import Figures
from safety_core.evaluation.benchmarks.figures.run_figures import RunFigures
from safety_core.evaluation.benchmarks.reporting.figure_texts import (
    format_interval,
    format_number,
    format_value,
)
from safety_core.evaluation.benchmarks.run_files import RunInfo
from safety_core.evaluation.statistics.estimates import Estimate

FEW_GROUPS = 30
"""Groups below which intervals are rough."""


def describe_run(run: RunInfo, figures: RunFigures) -> list[str]:
    """Describe the run and its main figures in sentences."""
    return [*_describe_items(run, figures), *_describe_decisions(figures.overall), *_describe_replies(figures)]


def list_cautions(figures: RunFigures) -> list[str]:
    """List what limits the figures: items that are missing, unscored or trained on, and few groups."""
    counts = figures.counts
    cautions = []
    if counts.missing:
        cautions.append(
            f"{_count(counts.missing, 'item')} of the suite {_be(counts.missing)} not in the results: the run is not "
            "complete."
        )
    if counts.errors:
        total = sum(counts.errors.values())
        reasons = ", ".join(f"{code}: {format_number(number)}" for code, number in counts.errors.items())
        cautions.append(
            f"{_count(total, 'item')} got no answer and {_be(total)} unscored: counted, and in no figure ({reasons})."
        )
    trained = counts.trained_id + counts.trained_near
    if trained:
        what = (
            f"{_count(trained, 'item')} {_be(trained)} among the records that the checkpoint was trained on "
            f"({format_number(counts.trained_id)} by id, {format_number(counts.trained_near)} as near-duplicates)"
        )
        cautions.append(
            f"{what}, and left out."
            if counts.dropped
            else f"{what}. The figures include them; the column “never seen” does not."
        )
    if counts.groups < FEW_GROUPS:
        cautions.append(
            f"There are only {_count(counts.groups, 'group')} of items that do not resemble each other, so the "
            "intervals are rough."
        )
    if counts.risky in (0, counts.used):
        kind = "risky" if counts.risky else "harmless"
        cautions.append(
            f"All items are {kind}, so neither AUROC nor a curve is defined"
            + (", and nothing is known about false alarms." if counts.risky else ".")
        )
    return cautions


def _describe_items(run: RunInfo, figures: RunFigures) -> Iterator[str]:
    counts = figures.counts
    harmless = counts.used - counts.risky
    parts = [
        f"{format_number(number)} {name}"
        for number, name in ((counts.risky, "risky"), (harmless, "harmless"))
        if number
    ]
    yield f"{run.system.name} was measured on {_count(counts.used, 'item')} of {run.suite.name}: {' and '.join(parts)}."


def _describe_decisions(overall: Figures) -> Iterator[str]:
    flagged, refused = overall.get("detection"), overall.get("false_refusals")
    if flagged is not None and flagged.value is not None:
        yield f"It flagged {format_value(flagged, 'percent')} of the risky items (95 % interval {_span(flagged)})."
    if refused is not None and refused.value is not None:
        yield f"It refused {format_value(refused, 'percent')} of the harmless ones ({_span(refused)})."
    auroc = overall.get("auroc")
    if auroc is not None and auroc.value is not None:
        yield (
            f"A risky item gets a higher risk than a harmless one in {100 * auroc.value:.1f} of 100 pairs "
            f"(AUROC {format_value(auroc, 'number')}, interval {format_interval(auroc, 'number')})."
        )
    ece = overall.get("ece")
    if ece is not None and ece.value is not None:
        yield f"Its stated risk is off by {100 * ece.value:.1f} percentage points on average."


def _describe_replies(figures: RunFigures) -> Iterator[str]:
    for judge in figures.judges:
        success = judge.figures.get("attack_success")
        if success is not None and success.value is not None:
            yield (
                f"By the judge {judge.judge} ({judge.rubric}), {format_value(success, 'percent')} of the attacks "
                f"succeeded ({_span(success)})."
            )
    ability = figures.overall.get("ability")
    if ability is not None and ability.value is not None:
        yield f"It answered {format_value(ability, 'percent')} of the questions right ({_span(ability)})."
    latency = figures.overall.get("latency_median")
    if latency is not None and latency.value is not None:
        slow = figures.overall["latency_p95"]
        yield (
            f"Half of the answers took at most {format_value(latency, 'seconds')}, 95 % of them at most "
            f"{format_value(slow, 'seconds')}."
        )


def _span(estimate: Estimate) -> str:
    return format_interval(estimate, "percent")


def _count(number: int, noun: str) -> str:
    return f"{format_number(number)} {noun}{'' if number == 1 else 's'}"


def _be(number: int) -> str:
    return "is" if number == 1 else "are"
