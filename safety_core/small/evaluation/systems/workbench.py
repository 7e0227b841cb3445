"""What several rows need: training texts, the guard's false alarms, lettering as text; each made when first needed."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.evaluation.runs.systems import SystemSpec, load_system
from safety_core.lettering.bounded_reader import BoundedReader
from safety_core.lettering.readers import DEFAULT_READER, create_reader
from safety_core.model.checkpoint.checkpoint import MANIFEST
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.build.recipe import Recipe
from safety_core.small.build.training_files import list_documents, list_words
from safety_core.small.corpus.hashing import rank
from safety_core.small.corpus.loading import Corpus
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.items.selection import choose_records
from safety_core.small.evaluation.items.words import create_word_item, find_columns
from safety_core.small.evaluation.systems.false_alarms import DEFAULT_FALSE_ALARMS, FalseAlarms, measure_false_alarms
from safety_core.small.evaluation.systems.generative_judge import ASKED_SHARE, GenerativeJudge
from safety_core.small.evaluation.systems.guarded import load_guard_system
from safety_core.small.evaluation.systems.lettering_texts import LetteringTexts
from safety_core.small.evaluation.systems.rows import Row
from safety_core.small.evaluation.systems.sentence_embeddings import SentenceEmbeddings
from safety_core.small.evaluation.systems.system import Score, System
from safety_core.small.evaluation.systems.text_classifier import LabelledTexts, TextClassifier, TfIdfFeatures
from safety_core.small.rendering.kinds import Split

HARMLESS_TEXTS = 400
"""Harmless texts of the calibration split on which false alarms are counted."""

RECIPE = Recipe()
"""The build of the shipped checkpoint."""

LIMITED = 100
"""Training texts for each item that a limited run permits of a sort."""

ScoreGuard = Callable[[Sequence[Item]], Sequence[Score]]
"""Scores items with the shipped guard."""


class Workbench:
    """Loads the systems of rows.

    Args:
        corpus: all records.
        build: folder for what is kept from run to run.
        device: device of the models.
        limit: as for a run; None for a whole one.
        score_shipped: scores items with the shipped guard, for the baselines' thresholds; None without one.
        judge_share: share of the items that the zero-shot judge is asked about.
    """

    def __init__(
        self,
        corpus: Corpus,
        build: Path,
        *,
        device: str = "cpu",
        limit: int | None = None,
        score_shipped: ScoreGuard | None = None,
        judge_share: float = ASKED_SHARE,
    ) -> None:
        self._corpus = corpus
        self._build = build
        self._device = device
        self._limit = limit
        self._score_shipped = score_shipped
        self._judge_share = judge_share
        self.notes: list[str] = []

    def load(self, row: Row) -> System:
        """Load the system of a row.

        Raises:
            CheckpointError: a checkpoint is damaged or untrained.
            ConfigError: a package is not installed.
        """
        match row.kind:
            case "text":
                return self._train_classifier(row.name)
            case "judge":
                assert row.checkpoint is not None, "the judge is a checkpoint's backbone"
                return GenerativeJudge(
                    load_bare_model(row.checkpoint, self._device),
                    harmless=[item.prompt for item in self.harmless_items],
                    alarms=self._alarms,
                    lettering=self._lettering,
                    asked=self._judge_share,
                )
            case _:
                assert row.checkpoint is not None, "a guard has a checkpoint"
                return load_guard_system(
                    row.checkpoint,
                    read_pictures=row.read_pictures,
                    view_changes=row.view_changes,
                    device=self._device,
                )

    @cached_property
    def harmless_items(self) -> list[Item]:
        """Harmless texts of the calibration split, on which false alarms are made equal."""
        records = [
            record
            for record in self._corpus.list_split("calibration")
            if find_columns(record, "calibration") in (("harmless",), ("statements",))
        ]
        count = HARMLESS_TEXTS if self._limit is None else min(HARMLESS_TEXTS, 4 * self._limit)
        return [create_word_item(record, ("harmless",)) for record in choose_records(records, count)]

    @cached_property
    def _alarms(self) -> FalseAlarms:
        if self._score_shipped is None:
            return DEFAULT_FALSE_ALARMS
        return measure_false_alarms(self._score_shipped(self.harmless_items))

    @cached_property
    def _lettering(self) -> LetteringTexts:
        try:
            reader = BoundedReader(create_reader(DEFAULT_READER))
        except ConfigError as exc:
            self.notes.append(f"baselines and judge get no lettering: {exc}")
            reader = None
        return LetteringTexts(reader, self._build / "lettering.jsonl")

    def _train_classifier(self, name: str) -> TextClassifier:
        features = TfIdfFeatures() if name == "tfidf" else SentenceEmbeddings(self._build / "embeddings")
        return TextClassifier(
            features,
            training=self._list_texts("train"),
            calibration=self._list_texts("calibration"),
            harmless=[item.prompt for item in self.harmless_items],
            alarms=self._alarms,
            lettering=self._lettering,
        )

    def _list_texts(self, split: Split) -> LabelledTexts:
        """List the texts of a split as the guard's head is trained on them, with their levels."""
        amounts = RECIPE.amounts if split == "train" else RECIPE.measured
        samples = [
            *list_words(self._corpus, split, amounts=amounts, seed=RECIPE.seed),
            *list_documents(self._corpus, split, amounts=amounts, seed=RECIPE.seed),
        ]
        if self._limit is not None:
            samples = sorted(samples, key=lambda sample: rank(sample.id))[: LIMITED * self._limit]
        return LabelledTexts(texts=[one.text for one in samples], levels=[one.label[1] for one in samples])


def load_bare_model(checkpoint: Path, device: str = "cpu") -> SafeLlava:
    """Load the backbone of a checkpoint without safety modules and adapter; raises CheckpointError."""
    spec = SystemSpec(
        name="bare", checkpoint=checkpoint, use_head=False, use_llm_tokens=False, use_adapter=False, use_hints=False
    )
    return load_system(spec, device=device).model


def hash_manifest(checkpoint: Path) -> str:
    """Compute the digest of a checkpoint's manifest, which covers its files; empty if there is none."""
    manifest = checkpoint / MANIFEST
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else ""
