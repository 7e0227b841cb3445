"""Runs rows over the items: scores and replies, kept item by item; one system is loaded at a time."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safety_core.errors import ConfigError
from safety_core.evaluation.runs.run import SystemProgress
from safety_core.policy.policy import Decision
from safety_core.small.corpus.loading import Corpus
from safety_core.small.evaluation.items.collection import compute_digest
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.replies.generation import (
    GivenReply,
    generate_bare_replies,
    generate_guarded_replies,
)
from safety_core.small.evaluation.run_log import EntryT, RunLog, compute_key
from safety_core.small.evaluation.systems.guarded import GuardSystem
from safety_core.small.evaluation.systems.rows import BARE, Row
from safety_core.small.evaluation.systems.system import NOT_ASKED, Score, System
from safety_core.small.evaluation.systems.workbench import Workbench, hash_manifest, load_bare_model


class RowRuns:
    """Runs rows over one list of items.

    Args:
        items: what is measured.
        corpus: the records that text classifiers are trained on.
        shipped: the row whose false alarms the baselines are to have.
        folder: keeps the results.
        build: keeps what several runs use.
        device: device of the models.
        limit: as for a run; None for a whole one.
        progress: called after each item.

    Raises:
        ConfigError: two items have the same id.
    """

    def __init__(
        self,
        items: Sequence[Item],
        corpus: Corpus,
        shipped: Row,
        *,
        folder: Path,
        build: Path,
        device: str = "cpu",
        limit: int | None = None,
        progress: SystemProgress | None = None,
    ) -> None:
        if len({item.id for item in items}) < len(items):
            raise ConfigError("two items have the same id")
        self._items = items
        self._folder = folder
        self._device = device
        self._limit = limit
        self._progress = progress
        self._loaded: tuple[str, System] | None = None
        self._shipped = shipped
        self.workbench = Workbench(corpus, build, device=device, limit=limit, score_shipped=self._score_calibration)

    def score(self, row: Row) -> list[Score]:
        """Score every item that a row is measured on; the others have no score.

        Raises:
            CheckpointError: a checkpoint is damaged or untrained.
            ConfigError: a package is not installed.
        """
        asked = [item for item in self._items if row.accepts(item)]
        scores = dict(zip((item.id for item in asked), self._score(row, asked, row.name), strict=True))
        return [scores.get(item.id, Score(problem=NOT_ASKED)) for item in self._items]

    def reply(self, row: Row, items: Sequence[Item]) -> list[GivenReply]:
        """Reply to harmful requests with the bare backbone, or with a guarded model. Raises as :meth:`score`."""
        assert row.checkpoint is not None, "only models reply"
        log = RunLog[GivenReply](
            self._folder / "replies" / f"{row.name}.jsonl",
            compute_key("replies", row.name, hash_manifest(row.checkpoint), compute_digest(items)),
            parse=lambda fields: GivenReply(**fields),
            dump=_dump_reply,
        )
        missing = [item for item in items if log.get(item.id) is None]
        if missing:
            self._run_logged(log, missing, self._generate(row, missing), f"{row.name}: replies")
        return [_require(log.get(item.id)) for item in items]

    def _generate(self, row: Row, items: Sequence[Item]) -> Iterator[GivenReply]:
        assert row.checkpoint is not None, "only models reply"
        if row.name == BARE:
            self._release()
            return generate_bare_replies(load_bare_model(row.checkpoint, self._device), items)
        system = self._load(row)
        assert isinstance(system, GuardSystem), "the other models that reply are guarded"
        return generate_guarded_replies(system.guard, items)

    def _score_calibration(self, items: Sequence[Item]) -> list[Score]:
        return self._score(self._shipped, items, "calibration")

    def _score(self, row: Row, items: Sequence[Item], name: str) -> list[Score]:
        manifest = "" if row.checkpoint is None else hash_manifest(row.checkpoint)
        thresholds = "" if row.kind == "guard" else hash_manifest(self._shipped.checkpoint or Path())
        log = RunLog[Score](
            self._folder / "scores" / f"{name}.jsonl",
            compute_key(row.name, row.read_pictures, manifest, thresholds, self._limit, compute_digest(items)),
            parse=_parse_score,
            dump=_dump_score,
        )
        missing = [item for item in items if log.get(item.id) is None]
        if missing:
            self._run_logged(log, missing, self._load(row).score(missing), name)
        return [_require(log.get(item.id)) for item in items]

    def _run_logged(self, log: RunLog[Any], items: Sequence[Item], results: Iterator[Any], name: str) -> None:
        for done, _ in enumerate(log.record([item.id for item in items], results), start=1):
            if self._progress is not None:
                self._progress(name, done, len(items))

    def _load(self, row: Row) -> System:
        """Load the system of a row, unless it is the one that is loaded."""
        if self._loaded is None or self._loaded[0] != row.name:
            self._release()
            self._loaded = row.name, self.workbench.load(row)
        return self._loaded[1]

    def _release(self) -> None:
        self._loaded = None
        gc.collect()


def _require(result: EntryT | None) -> EntryT:
    assert result is not None, "every item was run"
    return result


def _parse_score(fields: Mapping[str, Any]) -> Score:
    decision = fields.get("decision")
    return Score(**{**fields, "decision": None if decision is None else Decision(decision)})


def _dump_score(score: Score) -> dict[str, Any]:
    return {name: value for name, value in asdict(score).items() if value is not None}


def _dump_reply(reply: GivenReply) -> dict[str, Any]:
    return {name: value for name, value in asdict(reply).items() if value is not None}
