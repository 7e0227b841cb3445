"""Marks items of a benchmark that a checkpoint was trained on, by the fingerprints in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from safety_core.data.duplicates.near_pictures import hash_picture
from safety_core.errors import SampleError
from safety_core.evaluation.benchmarks.run_files import TrainedOn
from safety_core.evaluation.benchmarks.training_rows.row_keys import build_id_key, list_text_keys, probe_picture_keys
from safety_core.training_rows_file import TRAINING_ROWS_FILE, TrainingRows, read_training_rows


class TrainingRowMarker:
    """Finds items among the records that a checkpoint was trained on.

    Args:
        rows: the fingerprints.
    """

    def __init__(self, rows: TrainingRows) -> None:
        self._rows = rows
        self._known_pictures: dict[Path, bool] = {}

    @classmethod
    def load(cls, checkpoint: Path) -> TrainingRowMarker | None:
        """Read a checkpoint's fingerprints; None if it has none, so that nothing is known.

        Raises:
            CheckpointError: the file is damaged.
        """
        file = checkpoint / TRAINING_ROWS_FILE
        return cls(read_training_rows(file)) if file.is_file() else None

    @cached_property
    def records(self) -> int:
        """Number of training records."""
        return self._rows.records

    def mark(self, *, source: str, item_id: str, turns: Sequence[str], pictures: Sequence[Path]) -> TrainedOn | None:
        """Find out whether a record was trained on that has this id, or nearly these words and pictures.

        With words and pictures, both must be known: the same question about many pictures marks none of them.

        Args:
            source: the data set; ids of other sets do not count.
            item_id: the record's id.
            turns: the user's turns.
            pictures: the files of the pictures.

        A picture that cannot be decoded is not known.

        Raises:
            ConfigError: there are pictures, and the extra ``data`` is not installed.
        """
        id_key = build_id_key(source, item_id)
        if id_key is not None and self._rows.find("ids", [id_key]).any():
            return "id"
        texts = list_text_keys(turns) if turns else []
        if not texts and not pictures:
            return None
        knows_words = not texts or any(self._rows.find("texts", keys).any() for keys in texts)
        return "near" if knows_words and all(map(self._knows_picture, pictures)) else None

    def _knows_picture(self, picture: Path) -> bool:
        if picture not in self._known_pictures:
            try:
                keys = probe_picture_keys(hash_picture(picture))
                self._known_pictures[picture] = bool(self._rows.find("pictures", keys).any())
            except SampleError:
                self._known_pictures[picture] = False
        return self._known_pictures[picture]
