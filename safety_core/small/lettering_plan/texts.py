"""Texts to be rendered, and prompts that do not speak of a picture, taken from the records of the corpus."""

from collections.abc import Iterable
from dataclasses import dataclass

from safety_core.data.raw_samples import NamedLabel
from safety_core.small.corpus.records import Record
from safety_core.small.lettering_plan.rules import SAFE, Form, find_form
from safety_core.small.rendering.kinds import KINDS, Kind, Split

_KINDS: dict[str, Kind] = {kind: kind for kind in KINDS}

LONGEST_TEXT = 400
"""Characters of the longest text that is rendered; longer ones are no lettering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetteringText:
    """One text to be rendered."""

    text: str
    label: NamedLabel = SAFE
    """Its type and level as words."""

    kind: Kind | None = None
    """What its author saw it on; None for requests and statements without a picture in mind."""

    group: str = ""
    """``phenomenon/topic``, or the group of near-duplicates."""

    form: Form | None = None
    """What it is; found from words and label if None."""

    @property
    def found_form(self) -> Form:
        """Its form."""
        category = self.group.removeprefix("own/").partition("/")[0]
        return self.form or find_form(self.text, self.label, category, pictured=self.kind is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPrompt:
    """A prompt that does not speak of the picture, with its own label."""

    text: str
    label: NamedLabel = SAFE


def select_texts(records: Iterable[Record], split: Split) -> list[LetteringText]:
    """Select the records of a split that can stand in a picture."""
    return [
        LetteringText(
            text=record.text,
            label=record.label,
            kind=_KINDS.get(record.kind),
            group=f"own/{record.category}" if record.source.startswith("own/") else record.group,
        )
        for record in records
        if record.split == split
        and record.surface in ("lettering", "both")
        and record.label is not None
        and 0 < len(record.text) <= LONGEST_TEXT
    ]


def select_prompts(records: Iterable[Record], split: Split) -> list[OtherPrompt]:
    """Select the records of a split that are prompts."""
    return [
        OtherPrompt(text=record.text, label=record.label)
        for record in records
        if record.split == split and record.surface in ("prompt", "both") and record.text and record.label is not None
    ]
