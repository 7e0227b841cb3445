"""Scores of ability suites, as their authors define them. Pure functions of results.

MME
    For each task: ``accuracy``, the share of right answers, and ``accuracy_plus``, the share of pictures with both
    answers right. A task's ``score`` is their sum in per cent; ``score/perception`` sums ten tasks, ``score/cognition``
    four. Source: ``EvolvingLMMs-Lab/lmms-eval``, ``lmms_eval/tasks/mme/utils.py``.
POPE
    With yes as the positive answer: ``accuracy``, ``precision``, ``recall``, ``f1`` and ``yes_ratio``, the share of yes
    among all answers; for each split and all together. Source: ``AoiDragon/POPE``, ``README.md``.
MMBench
    ``circular``, the share of questions with every round right, and ``vanilla``, the share with the first one right.
    Source: ``open-compass/MMBench``, ``README.md``.
SEED-Bench
    ``accuracy``, for each task and all together.

A reply without an answer is wrong, and is no yes. An item that could not be asked is *unscored*: it is left out of its
figure and counted, and so is every pair or question that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from safety_core.evaluation.benchmarks.run_files import ItemResult

PERCEPTION = frozenset(
    {"existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR"}
)
COGNITION = frozenset({"commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AbilityScore:
    """One score."""

    value: float | None
    """The score; None if nothing was scored. Shares are from 0 to 1, scores of MME in points."""

    scored: int
    """Number of items, or of pairs and questions, that it is about."""

    unscored: int
    """Number of those that could not be asked."""


Scores = dict[str, AbilityScore]
"""Name of the figure, with ``/CATEGORY`` for a part → score."""


def compute_ability_scores(suite: str, results: Iterable[ItemResult]) -> Scores:
    """Compute the scores of an ability suite.

    Args:
        suite: ``mme``, ``mmbench``, ``seed`` or ``pope``.
        results: results of the suite's items; those without an ``answer`` are unscored.

    Raises:
        KeyError: there is no such ability suite.
    """
    compute, rows = _COMPUTE[suite], list(results)
    parts: dict[str, list[ItemResult]] = {}
    for row in rows:
        parts.setdefault(row.category, []).append(row)
    return compute(rows, parts)


def _score_mme(rows: Sequence[ItemResult], parts: Mapping[str, Sequence[ItemResult]]) -> Scores:
    scores: Scores = {}
    for name, part in {"": rows, **parts}.items():
        suffix = f"/{name}" if name else ""
        scores[f"accuracy{suffix}"] = _score_items(part)
        scores[f"accuracy_plus{suffix}"] = _score_groups(part)
        if name:
            scores[f"score/{name}"] = _add_points(scores[f"accuracy{suffix}"], scores[f"accuracy_plus{suffix}"])
    for total, tasks in (("perception", PERCEPTION), ("cognition", COGNITION)):
        present = [scores[f"score/{name}"] for name in parts if name in tasks]
        if present:
            scores[f"score/{total}"] = _sum_scores(present)
    return scores


def _add_points(accuracy: AbilityScore, plus: AbilityScore) -> AbilityScore:
    known = accuracy.value is not None and plus.value is not None
    value = 100 * ((accuracy.value or 0.0) + (plus.value or 0.0)) if known else None
    return AbilityScore(value=value, scored=plus.scored, unscored=plus.unscored)


def _sum_scores(scores: Sequence[AbilityScore]) -> AbilityScore:
    values = [score.value for score in scores if score.value is not None]
    return AbilityScore(
        value=sum(values) if len(values) == len(scores) else None,
        scored=sum(score.scored for score in scores),
        unscored=sum(score.unscored for score in scores),
    )


def _score_pope(rows: Sequence[ItemResult], parts: Mapping[str, Sequence[ItemResult]]) -> Scores:
    return {
        f"{name}/{part}" if part else name: score
        for part, members in {"": rows, **parts}.items()
        for name, score in _score_yes(members).items()
    }


def _score_yes(rows: Sequence[ItemResult]) -> Scores:
    answers = [row.answer for row in rows if row.answer is not None and row.answer.right is not None]
    said = sum(answer.given == "yes" for answer in answers)
    meant = sum(answer.expected == "yes" for answer in answers)
    both = sum(answer.given == answer.expected == "yes" for answer in answers)
    shares = {
        "accuracy": (sum(answer.right is True for answer in answers), len(answers)),
        "precision": (both, said),
        "recall": (both, meant),
        "f1": (2 * both, said + meant),
        "yes_ratio": (said, len(answers)),
    }
    unscored = len(rows) - len(answers)
    return {
        name: AbilityScore(value=part / whole if whole else None, scored=len(answers), unscored=unscored)
        for name, (part, whole) in shares.items()
    }


def _score_mmbench(rows: Sequence[ItemResult], parts: Mapping[str, Sequence[ItemResult]]) -> Scores:
    scores: Scores = {}
    for name, part in {"": rows, **parts}.items():
        suffix = f"/{name}" if name else ""
        scores[f"circular{suffix}"] = _score_groups(part)
        scores[f"vanilla{suffix}"] = _score_items([row for row in part if row.id == f"{row.group}-0"])
    return scores


def _score_seed(rows: Sequence[ItemResult], parts: Mapping[str, Sequence[ItemResult]]) -> Scores:
    return {
        f"accuracy/{name}" if name else "accuracy": _score_items(part) for name, part in {"": rows, **parts}.items()
    }


def _is_right(row: ItemResult) -> bool | None:
    return None if row.answer is None else row.answer.right


def _score_items(rows: Sequence[ItemResult]) -> AbilityScore:
    return _build_share([_is_right(row) for row in rows])


def _score_groups(rows: Sequence[ItemResult]) -> AbilityScore:
    """Share of the groups whose items are all right."""
    groups: dict[str, list[bool | None]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(_is_right(row))
    return _build_share([None if None in group else all(group) for group in groups.values()])


def _build_share(outcomes: Sequence[bool | None]) -> AbilityScore:
    scored = [outcome for outcome in outcomes if outcome is not None]
    value = sum(scored) / len(scored) if scored else None
    return AbilityScore(value=value, scored=len(scored), unscored=len(outcomes) - len(scored))


_COMPUTE: Mapping[str, Callable[[Sequence[ItemResult], Mapping[str, Sequence[ItemResult]]], Scores]] = {
    "mme": _score_mme,
    "pope": _score_pope,
    "mmbench": _score_mmbench,
    "seed": _score_seed,
}
