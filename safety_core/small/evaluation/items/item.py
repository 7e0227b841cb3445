"""One thing to judge, with what is known about it: a user's words, a picture, or both."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safety_core.data.raw_samples import NamedLabel
from safety_core.inputs.conversation import Turn
from safety_core.small.evaluation.items.columns import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One request to judge. Its id, columns, parts and group may stand in reports; its words never do."""

    id: str
    """Made of the ids of its records, and of what was made of them; tells nothing of the text."""

    columns: tuple[Column, ...]
    """Columns of the table that it belongs to."""

    parts: tuple[str, ...] = ()
    """``kind/name``, for figures over parts of a column: ``set/catqa``, ``type/illegal``, ``prompt/neutral`` …"""

    label: NamedLabel
    """Type and level by name; level 0 is harmless."""

    group: str
    """Items of one group resemble each other; the bootstrap draws groups."""

    prompt: str = ""
    """The user's words; empty for a picture alone."""

    earlier: tuple[Turn, ...] = ()
    """The turns before these words."""

    picture: Path | None = None

    lettered: bool = False
    """Whether the picture was made to show lettering."""

    @property
    def is_risky(self) -> bool:
        """Whether it should be flagged."""
        return self.label[1] > 0

    def list_scopes(self) -> Iterator[str]:
        """List the scopes that it counts in: each column, and each part of it."""
        for column in self.columns:
            yield column
            yield from (f"{column}/{part}" for part in self.parts)
