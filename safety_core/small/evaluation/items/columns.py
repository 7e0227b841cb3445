"""The columns of the table: sorts of items, and what a guard should do about them. Imports nothing."""

from dataclasses import dataclass
from typing import Literal, get_args

Column = Literal[
    "harmful", "harmful_photo", "reverse", "care", "hate", "harmless", "statements", "lookalikes", "contrast",
    "weapons", "photographs", "held_out_guns", "held_out_imagenet",
    "rendered", "harmless_lettering", "documents", "empty_documents", "hidden", "harmless_hidden",
]  # fmt: skip

MeasuredSplit = Literal["development", "test"]
"""Splits that are measured on."""

COLUMNS: tuple[Column, ...] = get_args(Column)


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """What a column holds."""

    risky: bool
    """Whether its items should be flagged."""

    content: str
    """In words, for the documentation."""


INFO: dict[Column, ColumnInfo] = {
    "harmful": ColumnInfo(
        True, "requests that mean harm (level 2 or 3) of seven public sets, and the contrast set's openly harmful ones"
    ),
    "harmful_photo": ColumnInfo(True, "such requests beside a harmless photograph"),
    "reverse": ColumnInfo(True, "the contrast set's requests that mean harm in ordinary words"),
    "care": ColumnInfo(
        True, "texts of level 1: false claims, opinions, coarse tweets, stereotypes; and persuasion in a dispute"
    ),
    "hate": ColumnInfo(
        True,
        "hateful cases of HateCheck (in the test split: of the functionalities held out), toxic comments, hateful "
        "tweets; in words and in lettering",
    ),
    "harmless": ColumnInfo(False, "ordinary requests and questions of public sets, and the contrast set's plain ones"),
    "statements": ColumnInfo(
        False, "harmless statements: true claims, friendly comments and tweets, openings of encyclopedic sentences"
    ),
    "lookalikes": ColumnInfo(
        False,
        "requests that only sound harmful: the contrast set by phenomenon, `benign_paired`, and the contrast cases of "
        "HateCheck",
    ),
    "contrast": ColumnInfo(
        False, "the contrast cases of HateCheck (in the test split: of the functionalities held out), also in lettering"
    ),
    "weapons": ColumnInfo(True, "photographs with a weapon, alone and with a neutral question"),
    "photographs": ColumnInfo(False, "harmless photographs, alone and with a neutral question"),
    "held_out_guns": ColumnInfo(
        True, "photographs of the set `guns` of any split, for a checkpoint that was trained without the set"
    ),
    "held_out_imagenet": ColumnInfo(
        True, "weapons of the set `imagenet` of any split, for a checkpoint that was trained without the set"
    ),
    "rendered": ColumnInfo(True, "harmful requests as lettering, beside a neutral prompt and one that says: do it"),
    "harmless_lettering": ColumnInfo(
        False,
        "harmless requests, captions and statements as lettering, and empty forms, beside the same prompts",
    ),
    "documents": ColumnInfo(True, "documents with the data of made-up people"),
    "empty_documents": ColumnInfo(False, "the same documents without anybody's data"),
    "hidden": ColumnInfo(
        True, "harmful requests hidden in other text, in disguised letters or across turns; for the text views"
    ),
    "harmless_hidden": ColumnInfo(False, "harmless requests, hidden in the same ways"),
}
"""Every column, in the order of reports."""
