"""Assembles the lines of lettering to the texts that are judged: as read, with spaces restored, undisguised, in parts.

Pure text; knows no tokens and no frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Flag, auto

from safety_core.inputs.text.lexicon import Lexicon
from safety_core.inputs.text.normalisation import lower_capitals
from safety_core.inputs.text.plain_text import has_other_words
from safety_core.lettering.spacing import restore_spaces

MAX_VARIANTS = 6
"""Maximum number of texts that are judged of one picture's lettering."""

_MIN_PARTS = 2
"""Places among them that are reserved for parts of long lettering."""

_LONG_WORDS = 40
"""Words above which parts of the lettering are also judged, because harmless words may surround a request. Not every
text is then judged in every form, because the cost grows with the words."""

_PART_WORDS = 20
"""Words of such a part, unless that gives too many parts."""

_MOSTLY = 0.7
"""Share of capitals among the letters above which a text is also judged in lower case."""

_HYPHENATED = re.compile(r"[A-Za-z]{2}-$")
_CONTINUATION = re.compile(r"^[a-z]+")
_POINT = re.compile(r"(?:\(?\d{1,2}[.):]|[a-z][.)]|[-*\u2022\u00b7\u2013\u25aa\u25ba])(?=\s|$)")


class Form(Flag):
    """Forms in which a text of lettering is judged."""

    FRAMED = auto()
    BARE = auto()
    WITH_PROMPT = auto()


_EVERY_FORM = Form.FRAMED | Form.BARE | Form.WITH_PROMPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One text of lettering, without line breaks."""

    text: str
    """The text."""

    forms: Form = _EVERY_FORM
    """The forms in which it is judged."""


class Assembler:
    """Lists the texts of lettering.

    Args:
        get_lexicon: returns the known words.
        undisguise: lists variants of a text without its disguises; most texts have none.
    """

    def __init__(self, get_lexicon: Callable[[], Lexicon], undisguise: Callable[[str], Sequence[str]]) -> None:
        self._get_lexicon = get_lexicon
        self._undisguise = undisguise

    def list_variants(
        self, rows: Sequence[str], across: Sequence[str] = (), *, with_parts: bool = True
    ) -> list[Variant]:
        """List the texts to judge of one picture, or of several pictures together.

        Args:
            rows: rows of lettering in reading order.
            across: the same rows across columns, if that order differs.
            with_parts: whether to list parts of long lettering.

        Returns:
            At most ``MAX_VARIANTS`` distinct texts: the lettering as it was read (if it is short); plain, that is with
                restored spaces and without capitals; across columns; without disguises; and parts if it is long.
        """
        joined = join_hyphenated(rows)
        plain_rows = [self._simplify(row) for row in joined]
        plain = " ".join(plain_rows)
        others = [" ".join(self._simplify(row) for row in join_hyphenated(across))] if across else []
        others += [text for text in self._undisguise(plain) if has_other_words(text, plain)]
        length = len(plain.split())
        if length <= _LONG_WORDS:
            texts = dict.fromkeys(filter(None, (" ".join(joined), plain, *others)))
            return [Variant(text=text) for text in texts][:MAX_VARIANTS]
        return list(self._list_long(plain, others, plain_rows if with_parts else (), length))

    def _list_long(self, plain: str, others: Sequence[str], rows: Sequence[str], length: int) -> Iterator[Variant]:
        """List the texts of long lettering: every word is judged as a part of the whole, and of a part."""
        yield Variant(text=plain, forms=Form.FRAMED | Form.WITH_PROMPT)
        others = list(dict.fromkeys(text for text in others if text != plain))[: MAX_VARIANTS - _MIN_PARTS - 1]
        for text in others:
            yield Variant(text=text, forms=Form.BARE)
        count = min(MAX_VARIANTS - 1 - len(others), -(-length // _PART_WORDS))
        for part in dict.fromkeys(group_rows(rows, count)):
            yield Variant(text=part, forms=Form.BARE | Form.WITH_PROMPT)

    def _simplify(self, row: str) -> str:
        """Restore the spaces of a row, and lower its capitals if it has almost only capitals."""
        spaced = restore_spaces(row, self._get_lexicon())
        letters = [char for char in spaced if char.isalpha()]
        capitals = sum(map(str.isupper, letters))
        return lower_capitals(spaced) if len(letters) > 1 and capitals > _MOSTLY * len(letters) else spaced


def join_hyphenated(rows: Sequence[str]) -> list[str]:
    """Join words that are hyphenated at the end of a row; the rest of the next row stays a row."""
    joined: list[str] = []
    for row in rows:
        continuation = _CONTINUATION.match(row) if joined and _HYPHENATED.search(joined[-1]) else None
        if continuation is not None:
            word, _, rest = row.partition(" ")
            joined[-1] = joined[-1][:-1] + word
            row = rest
        if row:
            joined.append(row)
    return joined


def group_rows(rows: Sequence[str], count: int) -> list[str]:
    """Group adjacent rows to at most ``count`` texts of similar length; the rows of a point of a list stay together."""
    units: list[list[str]] = []
    has_points = sum(_POINT.match(row) is not None for row in rows) > 1
    for row in rows:
        if units and has_points and _POINT.match(row) is None:
            units[-1].append(row)
        else:
            units.append([row])
    texts = [" ".join(unit) for unit in units]
    share = sum(map(len, texts)) / max(1, count)
    groups: list[list[str]] = [[] for _ in range(max(1, count))]
    before = 0
    for text in texts:
        middle = before + len(text) / 2
        groups[min(len(groups) - 1, int(middle / share)) if share else 0].append(text)
        before += len(text)
    return [" ".join(group) for group in groups if group]
