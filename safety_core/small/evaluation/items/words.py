"""Items of words alone: the public sets' and our own texts of a split, by rules that a person can read."""

from collections.abc import Iterable, Sequence

from safety_core.small.contrast_texts import PLAIN
from safety_core.small.corpus.records import Record, Split
from safety_core.small.corpus.splits import HELD_OUT_FUNCTIONALITIES
from safety_core.small.evaluation.items.columns import Column, MeasuredSplit
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.items.selection import choose_by_key

CONTRAST_SET = "own/contrast"

HARMFUL_SETS = frozenset(
    {"catqa", "harmfulqa", "strongreject", "jailbreakbench", "tdc2023", "harmbench_text", "simplesafetytests"}
)
"""Sets of requests that mean harm."""

ALL = 1 << 30

PER_SET = {**dict.fromkeys(HARMFUL_SETS, ALL), CONTRAST_SET: ALL}
"""Texts of a set in a run; ``USUAL`` for all others, and for each functionality of HateCheck."""

USUAL, PER_FUNCTIONALITY = 120, 60


def find_columns(record: Record, split: Split) -> tuple[Column, ...]:
    """Columns of a text as a user's words; none for texts that are not measured.

    Args:
        record: a text with a label.
        split: the split that is measured; in the test split, HateCheck counts by its held-out functionalities only.
    """
    if record.label is None or record.photo is not None or record.surface not in ("prompt", "both"):
        return ()
    level = record.label[1]
    match record.source:
        case "own/contrast" if record.category == PLAIN:
            return ("harmless",) if level == 0 else ("harmful",) if level >= 2 else ("care",)
        case "own/contrast":
            return ("lookalikes",) if level == 0 else ("reverse",)
        case "hatecheck" if split == "test" and record.category not in HELD_OUT_FUNCTIONALITIES:
            return ()
        case "hatecheck":
            return ("hate",) if level else ("lookalikes", "contrast")
        case "toxicity_surge":
            return ("hate",) if level else ("statements",)
        case "tweets_davidson":
            return ("statements",) if level == 0 else ("hate",) if record.category == "hate" else ("care",)
        case "benign_paired":
            return ("lookalikes",)
        case "issuebench_issues":
            return ("harmless",) if level == 0 else ("harmful",) if level == 3 else ("care",)
        case source if source in HARMFUL_SETS:
            return ("harmful",)
        case source if source.startswith("benign_") or source == "issuebench_templates":
            return ("harmless",)
        case "truthfulqa" if record.category == "question":
            return ("harmless",)
        case source if source.startswith("own/"):
            return ()
        case _:
            return ("care",) if level else ("statements",)


def list_word_items(records: Sequence[Record], split: MeasuredSplit, limit: int) -> list[Item]:
    """List the items of words of a split.

    Args:
        records: records of the split.
        split: the split.
        limit: maximum number of texts of each set and column.
    """
    measured = [record for record in records if find_columns(record, split)]
    return [create_word_item(record, find_columns(record, split)) for record in _choose(measured, split, limit)]


def create_word_item(record: Record, columns: tuple[Column, ...]) -> Item:
    """Create the item of a text."""
    assert record.label is not None, "only labelled texts are measured"
    return Item(
        id=f"words/{record.id}",
        columns=columns,
        parts=(*list_source_parts(record), "surface/words"),
        label=record.label,
        group=record.group,
        prompt=record.text,
    )


def list_source_parts(record: Record) -> tuple[str, ...]:
    """List the parts of a column that the source and the label of a record decide."""
    assert record.label is not None, "only labelled records are measured"
    name, level = record.label
    detail = {"hatecheck": "functionality", CONTRAST_SET: "phenomenon"}.get(record.source)
    return (
        f"set/{record.source.rpartition('/')[2]}",
        *((f"type/{name}", f"level/{level}") if level else ()),
        *((f"{detail}/{record.category}",) if detail else ()),
    )


def _choose(records: Iterable[Record], split: MeasuredSplit, limit: int) -> list[Record]:
    def get_key(record: Record) -> str:
        columns = "+".join(find_columns(record, split))
        detail = record.category if record.source == "hatecheck" else ""
        return f"{record.source}/{columns}/{detail}"

    keys = {get_key(record): record.source for record in records}
    limits = {
        key: PER_FUNCTIONALITY if source == "hatecheck" else PER_SET.get(source, USUAL) for key, source in keys.items()
    }
    return choose_by_key(records, get_key, limits, limit)
