"""Undoes reversed, upside-down and Pig Latin texts, and shifted or reversed alphabets (ROT13, Caesar, Atbash)."""

import re
from collections.abc import Iterator
from string import ascii_lowercase

from safety_core.inputs.text.lexicon import Lexicon
from safety_core.inputs.text.punctuation import CLOSING_MARKS

_DECIPHERED_WORDS = 64
"""Number of words of a sentence from which a cipher is recognised."""

_FLIPPED = dict(
    zip(
        "\u0250q\u0254p\u01dd\u025f\u0183\u0253\u0265\u1d09\u0131\u027e\u029e\u05df\u026fuodb\u0279\u0287n\u028c\u028d\u028e",
        "abcdefgghiijklmnopqrtuvwy",
        strict=True,
    )
)
"""Upside-down characters and the letters that they stand for."""


def list_decipherings(piece: str, lexicon: Lexicon) -> Iterator[str]:
    """Yield alternative readings of a text that is unlikely to be English."""
    if any(not char.isascii() and char in _FLIPPED for char in piece):
        yield "".join(_FLIPPED.get(char, char) for char in reversed(piece.lower()))
    yield piece[::-1]
    words = piece.split()
    yield " ".join(word[::-1] for word in words)
    if len(words) > 1:
        yield "".join(words)
    if sum(word.lower().rstrip(CLOSING_MARKS).endswith("ay") for word in words) * 2 > len(words):
        yield " ".join(_undo_pig_latin(word.lower().rstrip(CLOSING_MARKS), lexicon) for word in words)
    if piece.isascii():
        yield from _decipher_alphabet(piece.lower(), lexicon)


def _undo_pig_latin(word: str, lexicon: Lexicon) -> str:
    """Undo Pig Latin: return the known word whose first letters moved to the end before "ay", or the word itself."""
    stem = word.removesuffix("ay")
    candidates = [stem[-size:] + stem[:-size] for size in range(1, 5) if size < len(stem)]
    candidates += [stem.removesuffix("w"), stem.removesuffix("y")]
    known = [(cost, candidate) for candidate in candidates if (cost := lexicon.get_cost(candidate)) is not None]
    return min(known)[1] if known and stem != word else word


def _decipher_alphabet(piece: str, lexicon: Lexicon) -> Iterator[str]:
    """Undo a shifted or reversed alphabet, if this gives more known words than any alternative."""
    words = re.findall(r"[a-z]+", piece)[:_DECIPHERED_WORDS]
    tables = [
        str.maketrans(ascii_lowercase, ascii_lowercase[shift:] + ascii_lowercase[:shift]) for shift in range(1, 26)
    ]
    tables.append(str.maketrans(ascii_lowercase, ascii_lowercase[::-1]))
    known = [sum(len(word) for word in words if word.translate(table) in lexicon) for table in tables]
    most = max(known)
    if most > sum(map(len, words)) / 2:
        yield piece.translate(tables[known.index(most)])
