"""Items of photographs: weapons and harmless ones, alone and with a neutral question; harmful words beside some."""

from collections.abc import Iterator, Sequence
from itertools import cycle

from safety_core.small.corpus.records import Record
from safety_core.small.evaluation.items.columns import Column, MeasuredSplit
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.items.prompts import list_prompts
from safety_core.small.evaluation.items.selection import choose_by_key, choose_records, choose_text
from safety_core.small.evaluation.items.words import find_columns, list_source_parts

PER_SET = 120
"""Photographs of each set and label."""

PAIRED = 80
"""Harmful requests beside a harmless photograph."""

WEAPON = "weapon"
"""Kind of the photographs that show a weapon."""

HELD_OUT_COLUMNS: dict[str, Column] = {"guns": "held_out_guns", "imagenet": "held_out_imagenet"}
"""Sets with weapons that are held out in turn, and their columns."""


def list_photographs(records: Sequence[Record]) -> list[Record]:
    """List the labelled photographs."""
    return [record for record in records if record.photo is not None and record.label is not None]


def list_harmless_photographs(records: Sequence[Record]) -> list[Record]:
    """List the photographs without any risk, which may stand behind lettering and beside words."""
    return [record for record in list_photographs(records) if record.label == ("safe", 0) and not record.kind]


def list_photograph_items(records: Sequence[Record], split: MeasuredSplit, limit: int) -> list[Item]:
    """List the photographs of a split, alone and with a question, and harmful requests beside harmless photographs."""
    photographs = choose_by_key(
        list_photographs(records), lambda record: f"{record.source}/{record.label}", {}, min(limit, PER_SET)
    )
    items = [
        item
        for record in photographs
        for item in _create_items(record, "weapons" if record.kind == WEAPON else "photographs", split)
    ]
    return [*items, *_pair_requests(records, split, min(limit, PAIRED))]


def list_held_out_items(records: Sequence[Record], source: str, split: MeasuredSplit, limit: int) -> list[Item]:
    """List the weapons of a whole set, for a checkpoint that was trained without the set.

    Args:
        records: records of all splits.
        source: the set.
        split: the split whose questions are asked.
        limit: maximum number of photographs.
    """
    weapons = [record for record in list_photographs(records) if record.source == source and record.kind == WEAPON]
    chosen = choose_records(weapons, min(limit, PER_SET), purpose="held out")
    return [item for record in chosen for item in _create_items(record, HELD_OUT_COLUMNS[source], split)]


def _create_items(record: Record, column: Column, split: MeasuredSplit) -> Iterator[Item]:
    """Create the items of one photograph: alone first, then with a question."""
    assert record.label is not None, "only labelled photographs are measured"
    questions = list_prompts("photograph", split)
    kind = (f"kind/{record.kind}",) if record.kind else ()
    for name, prompt in (("none", ""), ("neutral", choose_text(questions, record.id))):
        yield Item(
            id=f"{column}/{record.id}/{name}",
            columns=(column,),
            parts=(*list_source_parts(record), *kind, f"prompt/{name}"),
            label=record.label,
            group=record.group,
            prompt=prompt,
            picture=record.photo,
        )


def _pair_requests(records: Sequence[Record], split: MeasuredSplit, limit: int) -> Iterator[Item]:
    requests = [record for record in records if find_columns(record, split) == ("harmful",)]
    photographs = choose_records(list_harmless_photographs(records), limit, purpose="beside words")
    if not photographs:
        return
    chosen = choose_records(requests, limit, purpose="beside a photograph")
    for request, photograph in zip(chosen, cycle(photographs), strict=False):
        assert request.label is not None, "only labelled texts are measured"
        yield Item(
            id=f"harmful_photo/{request.id}",
            columns=("harmful_photo",),
            parts=list_source_parts(request),
            label=request.label,
            group=request.group,
            prompt=request.text,
            picture=photograph.photo,
        )
