"""The table of judged items: its columns, the rows of a part, and the columns that only the index of duplicates needs.

The library of tables is imported only where a table is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safety_core.dataset_audit.duplicates.signatures import TextSignature
from safety_core.dataset_audit.sources.item import AuditItem
from safety_core.dataset_audit.sources.parquet_source import EXTRA_NEEDED
from safety_core.engine.messages import GuardVerdict
from safety_core.errors import ConfigError
from safety_core.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pyarrow as pa

JUDGED, UNJUDGED, UNREADABLE = "judged", "unjudged", "unreadable"
"""Outcomes of an item: it has a verdict; the guard reached none, which a server refuses; it could not be decoded."""

INTERNAL = (
    "cursor_file",
    "cursor_offset",
    "cursor_row",
    "picture_hashes",
    "text_digest",
    "word_signature",
    "letter_signature",
)
"""Columns of parts that the results do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedItem:
    """An item with its verdict and signatures."""

    item: AuditItem
    verdict: GuardVerdict | None = None
    """None if the item could not be read, or is too long to be judged."""

    problem: str | None = None
    """Why there is no verdict."""

    readable: bool = True
    """Whether the item could be read and decoded."""

    digests: tuple[str, ...] = ()
    """SHA-256 of each picture."""

    hashes: tuple[int, ...] = ()
    """Perceptual hash of each picture; empty unless duplicates are looked for."""

    signature: TextSignature | None = None
    """Signature of the user's words, if there are any and duplicates are looked for."""


def create_schema() -> pa.Schema:
    """Create the schema of a part.

    Raises:
        ConfigError: the extra ``data`` is not installed.
    """
    pa = import_arrow()
    number, text, real = pa.int64(), pa.string(), pa.float64()
    return pa.schema(
        {
            "number": number,
            "id": text,
            "place": text,
            "kind": text,
            "outcome": text,
            "problem": text,
            "decision": text,
            "type": text,
            "level": pa.int8(),
            "unsafe": real,
            "surface": text,
            "unsafe_image": real,
            "unsafe_text": real,
            "unsafe_joint": real,
            "unsafe_lettering": real,
            "type_scores": pa.list_(real),
            "level_scores": pa.list_(real),
            "novelty_text": real,
            "novelty_image": real,
            "pictures": pa.int16(),
            "sha256": pa.list_(text),
            "label_type": text,
            "label_level": pa.int8(),
            "cursor_file": number,
            "cursor_offset": number,
            "cursor_row": number,
            "picture_hashes": pa.list_(pa.uint64()),
            "text_digest": pa.uint64(),
            "word_signature": pa.binary(),
            "letter_signature": pa.binary(),
        }
    )


def build_table(judged: Sequence[JudgedItem], first: int, taxonomy: Taxonomy) -> pa.Table:
    """Build the table of a part.

    Args:
        judged: the items, in order.
        first: number of the first item.
        taxonomy: names of types.
    """
    rows = [_build_row(one, first + index, taxonomy) for index, one in enumerate(judged)]
    return import_arrow().Table.from_pylist(rows, schema=create_schema())


def import_arrow() -> Any:
    """Import the library of tables; raises ConfigError if it is not installed."""
    try:
        import pyarrow
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    return pyarrow


def _build_row(judged: JudgedItem, number: int, taxonomy: Taxonomy) -> dict[str, Any]:
    item, signature = judged.item, judged.signature
    row: dict[str, Any] = {
        "number": number,
        "id": item.id,
        "place": item.place,
        "kind": item.kind,
        "outcome": JUDGED if judged.readable else UNREADABLE,
        "problem": judged.problem,
        "pictures": len(item.pictures),
        "sha256": list(judged.digests),
        "label_type": None if item.label is None else taxonomy.types[item.label[0]],
        "label_level": None if item.label is None else item.label[1],
        "cursor_file": item.cursor.file,
        "cursor_offset": item.cursor.offset,
        "cursor_row": item.cursor.row,
        "picture_hashes": list(judged.hashes),
        "text_digest": None if signature is None else signature.digest,
        "word_signature": None if signature is None else signature.words,
        "letter_signature": None if signature is None else signature.letters,
    }
    if not judged.readable:
        return row
    verdict = judged.verdict
    if verdict is None or verdict.assessment is None:
        # Fail closed: what a server would refuse or reject counts as refused.
        return row | {"outcome": UNJUDGED, "problem": judged.problem or "no_verdict", "decision": "refused"}
    assessment, novelty = verdict.assessment, verdict.assessment.novelty
    return row | {
        "decision": verdict.verdict.decision.value,
        "type": assessment.type,
        "level": assessment.level.index,
        "unsafe": verdict.verdict.unsafe_probability,
        "surface": verdict.surface,
        "unsafe_image": assessment.surfaces.image,
        "unsafe_text": assessment.surfaces.text,
        "unsafe_joint": assessment.surfaces.joint,
        "unsafe_lettering": assessment.surfaces.lettering,
        "type_scores": list(assessment.type_scores.values()),
        "level_scores": list(assessment.level_scores.values()),
        "novelty_text": None if novelty is None else novelty.text,
        "novelty_image": None if novelty is None else novelty.image,
    }
