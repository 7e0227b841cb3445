"""Files of scores: what thresholds are chosen from, computed once and used again, without texts and images.

JSON Lines. The first line names the checkpoint's weights, the data and the policy's actions; each further line holds
the raw scores of one sample's views, its label, its group, the name of its data set, and a digest of its id. Scores are
stored in 32 bit, as the head computes them, so that nothing changes by way of the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from safety_core.data.samples import Sample
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.scores.score_table import ScoreTable
from safety_core.evaluation.statistics.estimates import FloatArray, IntArray
from safety_core.files import describe_read_error, open_atomically, open_text
from safety_core.policy.documents import overlay_policy
from safety_core.policy.policy import Policy
from safety_core.scores import PairScores, RiskScores
from safety_core.strict_json import StrictModel, parse_model
from safety_core.taxonomy import Taxonomy

_FORMAT_VERSION = 1
_POLICY_FIELDS = ("enabled", "thresholds", "actions", "novelty")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredScores:
    """The content of a file of scores."""

    table: ScoreTable
    policy: Policy
    """The policy of the checkpoint; its texts are not stored."""

    checkpoint: str
    """Digest of everything that the scores depend on: weights, and texts that are judged."""

    data: str
    """SHA-256 of the labelled data."""


class _Header(StrictModel):
    format_version: Literal[1]
    checkpoint: str
    data: str
    taxonomy: dict[str, Any]
    policy: dict[str, Any]


class _Row(StrictModel):
    id: str
    group: int
    source: str
    type: int
    level: int
    judged: bool
    novelty: float
    label_view: int
    views: list[list[list[float]]]


def tabulate_scores(
    taxonomy: Taxonomy, samples: Sequence[Sample], scores: Sequence[Sequence[PairScores]], groups_P: IntArray
) -> ScoreTable:
    """Tabulate raw scores.

    Args:
        taxonomy: the taxonomy of labels and scores.
        samples: labelled samples.
        scores: for each sample, the scores of every text variant; empty if the prompt is too long.
        groups_P: the group of each sample.
    """
    views: list[RiskScores] = []
    sample_V: list[int] = []
    label_views, judged, novelties = [], [], []
    for index, variants in enumerate(scores):
        own = [view for pair in variants for view in pair.deciding]
        complete = bool(variants) and all(pair.deciding for pair in variants) and all(view.finite for view in own)
        judged.append(complete)
        label_view = _find_label_view(variants[0]) if complete else None
        place = next((place for place, view in enumerate(own) if view is label_view), None)
        label_views.append(-1 if place is None else len(views) + place)
        novelties.append(max((pair.novelty.score for pair in variants if pair.novelty is not None), default=0.0))
        if complete:
            views += own
            sample_V += [index] * len(own)
    labels = [sample.label for sample in samples]
    return ScoreTable(
        types_VC=_stack([view.types for view in views], len(taxonomy.types)),
        levels_VL=_stack([view.levels for view in views], len(taxonomy.levels)),
        sample_V=np.array(sample_V, dtype=np.int64),
        label_view_P=np.array(label_views, dtype=np.int64),
        gold_type_P=np.array([label.type for label in labels], dtype=np.int64),
        gold_level_P=np.array([label.level for label in labels], dtype=np.int64),
        group_P=groups_P,
        source_P=tuple(sample.source for sample in samples),
        novelty_P=np.array(novelties, dtype=np.float64),
        judged_P=np.array(judged, dtype=np.bool_),
        taxonomy=taxonomy,
    )


def write_scores(path: Path, stored: StoredScores, ids: Sequence[str]) -> None:
    """Write a file of scores, completely or not at all.

    Args:
        path: the file.
        stored: its content.
        ids: the id of each sample, of which only a digest is written.
    """
    table, fields = stored.table, stored.policy.to_dict()
    header = {
        "format_version": _FORMAT_VERSION,
        "checkpoint": stored.checkpoint,
        "data": stored.data,
        "taxonomy": table.taxonomy.to_dict(),
        "policy": {name: fields[name] for name in _POLICY_FIELDS if name in fields},
    }
    first_view_P = np.searchsorted(table.sample_V, np.arange(len(table) + 1))
    types, levels = _shorten(table.types_VC), _shorten(table.levels_VL)
    with open_atomically(path) as stream:
        stream.write(json.dumps(header) + "\n")
        for index in range(len(table)):
            start, end = int(first_view_P[index]), int(first_view_P[index + 1])
            label_view = int(table.label_view_P[index])
            row = {
                "id": hashlib.sha256(ids[index].encode()).hexdigest()[:16],
                "group": int(table.group_P[index]),
                "source": table.source_P[index],
                "type": int(table.gold_type_P[index]),
                "level": int(table.gold_level_P[index]),
                "judged": bool(table.judged_P[index]),
                "novelty": float(table.novelty_P[index]),
                "label_view": label_view - start if label_view >= 0 else -1,
                "views": [[types[view], levels[view]] for view in range(start, end)],
            }
            stream.write(json.dumps(row) + "\n")


def read_scores(path: Path) -> StoredScores:
    """Read a file of scores.

    Raises:
        ConfigError: the file cannot be read or is malformed; the message contains the line.
    """
    lines = _read_lines(path)
    number, first = next(lines, (1, {}))
    header = parse_model(_Header, first, where=f"{path}:{number}")
    taxonomy = Taxonomy.parse(header.taxonomy)
    rows = [(number, parse_model(_Row, line, where=f"{path}:{number}")) for number, line in lines]
    types: list[list[float]] = []
    levels: list[list[float]] = []
    label_views: list[int] = []
    for number, row in rows:
        _check_row(row, taxonomy, where=f"{path}:{number}")
        label_views.append(len(types) + row.label_view if row.label_view >= 0 else -1)
        types += [view[0] for view in row.views]
        levels += [view[1] for view in row.views]
    return StoredScores(
        table=ScoreTable(
            types_VC=_stack(types, len(taxonomy.types)),
            levels_VL=_stack(levels, len(taxonomy.levels)),
            sample_V=np.repeat(np.arange(len(rows)), [len(row.views) for _, row in rows]),
            label_view_P=np.array(label_views, dtype=np.int64),
            gold_type_P=np.array([row.type for _, row in rows], dtype=np.int64),
            gold_level_P=np.array([row.level for _, row in rows], dtype=np.int64),
            group_P=np.array([row.group for _, row in rows], dtype=np.int64),
            source_P=tuple(row.source for _, row in rows),
            novelty_P=np.array([row.novelty for _, row in rows], dtype=np.float64),
            judged_P=np.array([row.judged for _, row in rows], dtype=np.bool_),
            taxonomy=taxonomy,
        ),
        policy=overlay_policy(Policy.create_default(taxonomy), header.policy, taxonomy),
        checkpoint=header.checkpoint,
        data=header.data,
    )


def _find_label_view(pair: PairScores) -> RiskScores | None:
    """Find the view that a sample's label is about: all images with all words."""
    if pair.joint is not None:
        return pair.joint
    return pair.image if pair.per_image else pair.text


def _check_row(row: _Row, taxonomy: Taxonomy, *, where: str) -> None:
    shapes = {(len(view), *map(len, view)) for view in row.views}
    if shapes - {(2, len(taxonomy.types), len(taxonomy.levels))}:
        raise ConfigError(
            f"{where}.views: each view needs {len(taxonomy.types)} types and {len(taxonomy.levels)} levels"
        )
    if not (0 <= row.type < len(taxonomy.types) and 0 <= row.level < len(taxonomy.levels)):
        raise ConfigError(f"{where}: the label is not one of the taxonomy")
    if not -1 <= row.label_view < len(row.views) or bool(row.views) != row.judged:
        raise ConfigError(f"{where}.label_view: there is no such view")


def _read_lines(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with open_text(path) as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    yield number, json.loads(line)
                except ValueError as exc:
                    raise ConfigError(f"{path}:{number}: the line is not JSON") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: {describe_read_error(exc, 'JSON')}") from exc


def _stack(rows: Sequence[Sequence[float]], width: int) -> FloatArray:
    """Stack rows of numbers in 32 bit, which all of them were computed in."""
    return np.array(rows, dtype=np.float32).reshape(-1, width).astype(np.float64)


def _shorten(values_VC: FloatArray) -> list[list[float]]:
    """Write each number with the fewest digits that tell it from its neighbours in 32 bit."""
    return [[float(str(value)) for value in row] for row in values_VC.astype(np.float32)]
