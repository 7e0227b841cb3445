"""Items of lettering: texts of a split rendered as pictures, beside a neutral prompt and one that says to do it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from safety_core.data.raw_samples import NamedLabel
from safety_core.small.corpus.records import Record
from safety_core.small.evaluation.items.columns import Column, MeasuredSplit
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.items.photographs import list_harmless_photographs
from safety_core.small.evaluation.items.picture_folder import PictureFolder
from safety_core.small.evaluation.items.prompts import PromptKind, list_prompts
from safety_core.small.evaluation.items.selection import choose_records, choose_text
from safety_core.small.evaluation.items.words import find_columns, list_source_parts
from safety_core.small.rendering.kinds import Kind

LONGEST_TEXT = 160
"""Characters of the longest text that is rendered."""

EMPTY_POINTS = "\n1.\n2.\n3."
"""Points of a numbered list that the assistant is to fill."""

ASKED: tuple[PromptKind, ...] = ("neutral", "carry out")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to show a text."""

    kind: Kind
    photograph: bool = False
    """Whether a photograph is behind or beside it."""

    points: bool = False
    """Whether the text is the heading of a list with empty points."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of a column that the way decides."""
        return (
            f"kind/{self.kind}",
            f"ground/{'photograph' if self.photograph else 'plain'}",
            f"layout/{'list' if self.points else 'text'}",
        )


WAYS = (
    Way("plain"), Way("plain", points=True), Way("overlay", photograph=True), Way("list", points=True),
    Way("overlay", photograph=True, points=True), Way("screenshot"), Way("sign", photograph=True), Way("slide"),
    Way("handwriting"), Way("meme", photograph=True), Way("chat"), Way("poster", photograph=True),
)  # fmt: skip
"""Texts take these ways in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sort:
    """One sort of texts that is rendered."""

    origin: str
    """Name of the sort, one of the parts of its column."""

    takes: tuple[Column, ...]
    """Columns of words whose texts it takes; empty for captions."""

    columns: tuple[Column, ...]
    """Columns of its items."""

    count: int
    """Number of pictures."""

    asked: tuple[PromptKind, ...] = ASKED
    """Kinds of the prompts beside each picture."""


_SORTS = (
    _Sort(origin="requests", takes=("harmful",), columns=("rendered",), count=156),
    _Sort(origin="requests", takes=("harmless",), columns=("harmless_lettering",), count=60),
    _Sort(origin="captions", takes=(), columns=("harmless_lettering",), count=48),
    _Sort(origin="statements", takes=("statements",), columns=("harmless_lettering",), count=48),
    _Sort(origin="hate", takes=("hate",), columns=("hate",), count=60, asked=("neutral",)),
    _Sort(origin="contrast", takes=("lookalikes", "contrast"), columns=("contrast",), count=48, asked=("neutral",)),
)


def list_lettering_items(
    records: Sequence[Record], split: MeasuredSplit, pictures: PictureFolder, limit: int
) -> list[Item]:
    """Render texts of a split and list the items; texts that fit into no picture are left out.

    Args:
        records: records of the split.
        split: the split.
        pictures: keeps the pictures.
        limit: maximum number of pictures of each sort of text.

    Raises:
        ConfigError: a package with fonts is not installed.
    """
    photographs = choose_records(list_harmless_photographs(records), len(records), purpose="behind lettering")
    items: list[Item] = []
    for sort in _SORTS:
        texts = choose_records(_list_texts(records, sort, split), min(limit, sort.count), purpose="lettering")
        for number, record in enumerate(texts):
            items += _create_items(record, sort, WAYS[number % len(WAYS)], number, split, pictures, photographs)
    return items


def _list_texts(records: Sequence[Record], sort: _Sort, split: MeasuredSplit) -> Iterator[Record]:
    """Yield the records of a sort whose text is short enough; a caption becomes a text of its photograph's record."""
    for record in records:
        if not sort.takes:
            if record.captions and record.label == ("safe", 0):
                yield replace(record, text=choose_text(record.captions, record.id))
        elif record.surface == "both" and find_columns(record, split) == sort.takes and _is_short(record.text):
            yield record


def _is_short(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and text.count("\n") < 4


def _create_items(
    record: Record,
    sort: _Sort,
    way: Way,
    number: int,
    split: MeasuredSplit,
    pictures: PictureFolder,
    photographs: Sequence[Record],
) -> Iterator[Item]:
    """Create the items of one text, which share a picture."""
    photograph = photographs[number % len(photographs)].photo if way.photograph and photographs else None
    text = f"{record.text}{EMPTY_POINTS if way.points else ''}"
    picture = pictures.draw_lettering(text, way.kind, number, photograph)
    if picture is None:
        return
    assert record.label is not None, "only labelled records are measured"
    label: NamedLabel = record.label
    for asked in sort.asked:
        yield Item(
            id=f"lettering/{sort.origin}/{record.id}/{asked.replace(' ', '-')}",
            columns=sort.columns,
            parts=(
                *list_source_parts(record),
                *way.parts,
                f"origin/{sort.origin}",
                f"prompt/{asked}",
                "surface/lettering",
            ),
            label=label,
            group=record.group,
            prompt=choose_text(list_prompts(asked, split), f"{record.id}/{asked}"),
            picture=picture,
            lettered=True,
        )
