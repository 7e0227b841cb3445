"""Reads the project's own texts: JSONL files with ``text``, ``type``, ``level``, ``group``, and optional ``kind`` and
``split``. Without a split, a group of texts is trained on, or serves calibration or development, by a salted hash;
groups about a subject that the contrast set tests serve development only. Knows no public set.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from safety_core.data.readers.fields import FilledText
from safety_core.data.readers.rows import SourceRow, read_jsonl_rows
from safety_core.errors import SampleError
from safety_core.small.contrast_texts import PLAIN
from safety_core.small.corpus.hashing import Shares, hash_text, pick_split
from safety_core.small.corpus.records import Record, Split
from safety_core.strict_json import StrictModel
from safety_core.taxonomy import DEFAULT_TAXONOMY

PREFIX = "own/"
"""Begins the source and the id of every own text."""

QUESTIONS_FILE = "photograph_questions.jsonl"
"""Wordings with fields for the alignment."""

NO_RECORDS = frozenset({"picture_prompts.jsonl", "weapon_prompts.jsonl", QUESTIONS_FILE})
"""Files beside the texts whose lines have no label of their own: prompts that mean what the picture means."""

_SHARES: Shares = (("train", 0.85), ("calibration", 0.10), ("development", 0.05))

_TESTED_SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "children": (),
    "civics": (),
    "history": (),
    "medicines-home": (),
    "quote": (),
    "school": (),
    "calm-areas": ("help-1", "help-2", "help-3", "help-4", "help-5"),
    "animals": ("cat-garden", "lobster", "mole", "mouse-trap", "parasite", "pigeon", "rats-compost"),
    "computers": ("game-server",),
    "environment-waste": ("eggs", "pesticide-bees"),
    "knives-tools": ("axe-firewood", "carry-law", "fish-gut", "kitchen-knife-police"),
    "two-meanings": (
        *("attack-asthma", "bomb-exam", "burn-bread", "bust-clay", "cheat-sheet", "choke-baby", "crack-nuts"),
        *("drug-interaction-cat", "drug-store", "drug-trial", "execute-jump", "execute-will", "explode-potato"),
        *("grass-cut", "hack-storage", "hit-song", "hit-target", "poison-ivy", "pot-roast", "shoot-plant"),
        *("shoot-rapids", "shot-vaccine", "smuggle-snack", "steal-base", "strangle-business", "terminate-lease"),
        *("terminate-line", "weed-beds", "weed-path"),
    ),
}
"""Phenomenon → topics (all if empty) about subjects of the contrast set's test split: kitchen and garden, games and
sports, offices, medicine, law and civics, titles, parents and teachers, history, quotations, victims."""


class _OwnRow(StrictModel):
    """One line of a file of own texts."""

    text: FilledText
    type: str
    level: int = Field(ge=0, lt=len(DEFAULT_TAXONOMY.levels))
    group: FilledText
    """``phenomenon/topic``."""

    kind: str = ""
    """Kind of lettering (``sign``, ``poster`` …); without it the text may be a prompt as well."""

    split: Literal["train", "calibration", "development", "test"] | None = None


def find_own_texts() -> Path:
    """Folder of the own texts that ship with the package; it may hold none."""
    return Path(str(resources.files("safety_core.small"))) / "texts"


def read_own_texts(folder: Path) -> list[Record]:
    """Read every ``*.jsonl`` file of texts in a folder.

    Raises:
        SampleError: a line is malformed, its label contradicts itself, or a text stands in a file twice.
    """
    files = sorted(file for file in folder.glob("*.jsonl") if file.name not in NO_RECORDS)
    return [record for file in files for record in _read_file(file)]


def _read_file(file: Path) -> list[Record]:
    found: dict[str, Record] = {}
    for row in read_jsonl_rows(file):
        if isinstance(row, SampleError):
            raise row
        record = _convert_row(row, f"{PREFIX}{file.stem}")
        if record.id in found:
            raise row.place.create_error("the file has this text already", "text")
        found[record.id] = record
    return list(found.values())


def pick_own_split(group: str) -> Split:
    """Pick the split of a group of own texts, ``phenomenon/topic``, that names none itself."""
    phenomenon, _, topic = group.partition("/")
    topics = _TESTED_SUBJECTS.get(phenomenon)
    if topics is not None and (not topics or topic in topics):
        return "development"
    return pick_split(f"{PREFIX}{group}", _SHARES)


def _convert_row(row: SourceRow, source: str) -> Record:
    try:
        content = _OwnRow.model_validate(row.data)
    except ValidationError as exc:
        raise row.place.translate_error(exc) from exc
    if content.type not in DEFAULT_TAXONOMY.types:
        raise row.place.create_error(f"must be one of {list(DEFAULT_TAXONOMY.types)}", "type")
    if (content.type == DEFAULT_TAXONOMY.safe_type) != (content.level == 0):
        raise row.place.create_error(
            f"level 0 goes with type {DEFAULT_TAXONOMY.safe_type!r}, and only with it", "level"
        )
    name, phenomenon = f"{source}/{hash_text(content.text)}", content.group.partition("/")[0]
    # Plain texts of a set with splits of its own share no trap, only the absence of one.
    is_single = content.split is not None and phenomenon == PLAIN
    return Record(
        id=name,
        source=source,
        surface="lettering" if content.kind else "both",
        label=(content.type, content.level),
        text=content.text,
        category=phenomenon,
        kind=content.kind,
        family=f"{PREFIX}{content.group}",
        group=name if is_single else f"{PREFIX}{content.group}",
        split=content.split or pick_own_split(content.group),
    )
