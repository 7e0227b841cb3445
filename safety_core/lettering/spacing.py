"""Restores spaces between words that a reader lost: ``tobake`` becomes ``to bake``. Pure text; English only."""

from __future__ import annotations

import re

from safety_core.inputs.text.lexicon import SPLIT_COST, Effort, Lexicon, Symbol

_SHORTEST = 4
"""Minimum length of letters that may be several words."""

_HUMP = 0.3
"""Cost of a word that continues at a capital after a lower-case letter."""

_LETTERS = re.compile(r"[A-Za-z]+")

_MISSING = re.compile(
    r"(?<=[a-z]{2}[.!?])(?=[A-Z])"  # a sentence begins
    r"|(?<=[A-Za-z]{2}[,;:])(?=[A-Za-z]{2})"
    r"|(?:(?<=^\d[.)])|(?<=^\d\d[.)])|(?<=\s\d[.)])|(?<=\s\d\d[.)]))(?=[A-Za-z])"  # a point of a list begins
)
"""Matches places where signs show that a space is missing."""

_BESIDE_DIGITS = re.compile(r"(?<![A-Za-z])(\d*)([A-Za-z]{3,})(\d*)(?![A-Za-z])")
"""Matches letters with digits before or behind them."""


def restore_spaces(text: str, lexicon: Lexicon) -> str:
    """Insert spaces between words that are written together; everything else stays as it is.

    Args:
        text: any text; the work is linear in its length.
        lexicon: the known words.
    """
    effort = Effort()

    def separate_digits(match: re.Match[str]) -> str:
        return " ".join(filter(None, match.groups())) if match[2].lower() in lexicon else match[0]

    def separate(match: re.Match[str]) -> str:
        letters = match[0]
        if len(letters) < _SHORTEST or letters.lower() in lexicon:
            return letters
        effort.add(len(letters))
        return " ".join(_split_words(letters, lexicon, effort))

    return _LETTERS.sub(separate, _BESIDE_DIGITS.sub(separate_digits, _MISSING.sub(" ", text)))


def _split_words(letters: str, lexicon: Lexicon, effort: Effort) -> list[str]:
    """Split letters into known words; a single piece if there are none."""
    found = lexicon.segment([_build_symbol(letters, at) for at in range(len(letters))], effort)
    if found.explained < 1 or sum(map(len, found.words)) != len(letters):
        return [letters]
    pieces, start = [], 0
    for word in found.words:
        pieces.append(letters[start : start + len(word)])
        start += len(word)
    return pieces


def _build_symbol(letters: str, at: int) -> Symbol:
    letter = letters[at].lower()
    is_hump = at > 0 and letters[at].isupper() and letters[at - 1].islower()
    return Symbol(
        options=((letter, 0.0),),
        literal=letter,
        crossing=_HUMP if is_hump else 0.0,
        boundary=0.0 if is_hump else SPLIT_COST,
    )
