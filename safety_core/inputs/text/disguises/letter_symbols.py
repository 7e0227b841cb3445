"""Converts the characters of a text to the letters that each may stand for, with the cost of every reading.

``Lexicon.segment`` then finds the most likely words. Everything that is not a letter becomes a gap between letters, so
separators within words need no additional rules.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_lowercase

from safety_core.inputs.text.disguises.confusables import find_latin_letters
from safety_core.inputs.text.disguises.leetspeak import LEET_LETTERS, find_leet_positions, has_leet_digits
from safety_core.inputs.text.lexicon import SPLIT_COST, Symbol

_TOUCHING, _SIGNS, _SPACE, _WIDE = range(4)
"""Kinds of gaps before a letter, in ascending width: none, signs, a space, more than a space."""

_CROSSING = {_TOUCHING: 0.0, _SIGNS: 1.0, _SPACE: 2.5, _WIDE: 3.5}
"""Cost of continuing a word across a gap between parts of several letters."""

_NARROW, _BROAD, _BESIDE_ONE, _HUMP = 0.4, 2.5, 2.2, 0.3
"""The same cost in other places: between single letters, across the narrowest gaps of the text and across wider gaps;
next to a single letter; and before a capital after a lower-case letter."""

_SECOND_GUESS, _LEET_COST, _LEET_OFTEN, _DIGITS_ALONE, _SKIPPED, _MASKED = 0.8, 0.5, 0.3, 2.5, 1.0, 2.5
"""Costs: each further letter that a character looks like; a digit or sign as a letter, and the same in a text with
several such words; digits without letters around them; a skipped sign; a mask as any letter."""

_LONGEST_LEET = 16
"""Maximum length of a sequence of digits and signs that may stand for letters without a letter among them."""

_APOSTROPHES = frozenset("'`\u2018\u2019\u02bc\u00b4\u2032\u02b9")

_MASKS = frozenset("*#\u25cf\u25a0\u2022")
"""Signs that mask a letter."""

_RUN = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)


@dataclass(slots=True)
class _Atom:
    """A letter, digit, or sign that may be a letter, with the gap before it."""

    char: str
    letters: str
    gap: int
    capital: bool = False
    sign: bool = False
    part: int = 0


def build_symbols(text: str) -> list[Symbol]:
    """Build the input of ``Lexicon.segment`` from a text: letters that its characters may stand for, and gaps."""
    bare = "".join(
        char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) not in ("Mn", "Me")
    )
    atoms = _split_atoms(_RUN.sub(r"\1\1", bare))
    sizes = Counter(atom.part for atom in atoms)
    worded = {atom.part for atom in atoms if atom.letters and not atom.char.isdigit() and not atom.sign}
    digits = {atom.part for atom in atoms if atom.char.isdigit() or atom.sign}
    leet = bool(worded & digits)
    mixed = has_leet_digits(bare)
    signs = digits - worded - {atom.part for atom in atoms if not atom.sign}
    numbers = {part for part in digits - worded if sizes[part] > _LONGEST_LEET}
    single = [
        atom.gap
        for before, atom in pairwise(atoms)
        if atom.part != before.part and sizes[atom.part] == sizes[before.part] == 1
    ]
    narrowest = min(single, default=_TOUCHING)
    leet = leet or any(
        before.char.isdigit() != atom.char.isdigit()
        for before, atom in pairwise(atoms)
        if atom.part != before.part and sizes[atom.part] == sizes[before.part] == 1
    )
    symbols: list[Symbol] = []
    for index, atom in enumerate(atoms):
        before = atoms[index - 1] if index else None
        symbols.append(
            Symbol(
                options=()
                if atom.part in numbers
                else _list_options(atom, alone=atom.part not in worded and not leet, mixed=mixed),
                literal="" if atom.sign and atom.part not in signs else atom.char,
                crossing=0.0 if before is None else _compute_crossing_cost(before, atom, sizes, narrowest),
                boundary=_compute_boundary_cost(before, atom),
                skipping=_SKIPPED if atom.sign and atom.part not in signs else None,
            )
        )
    return symbols


def _split_atoms(text: str) -> list[_Atom]:
    atoms: list[_Atom] = []
    gap, part = _TOUCHING, 0
    leet = find_leet_positions(text)
    for index, raw in enumerate(text):
        before, after = text[index - 1] if index else " ", text[index + 1] if index + 1 < len(text) else " "
        if raw.isspace():
            gap = _WIDE if gap == _SIGNS or raw == "\n" else min(gap + _SPACE, _WIDE)
            continue
        char = raw.lower()[0]
        letters = find_latin_letters(char) or (
            "" if raw.isascii() else find_latin_letters(raw) or find_latin_letters(raw.upper()[0])
        )
        readable = raw.isalnum() or letters != ""
        if not readable:
            if raw in _APOSTROPHES and before.isalnum() and after.isalnum():
                continue
            # A single sign may stand for a letter; several adjacent signs separate letters.
            nearby = text[max(0, index - 2) : index] + text[index + 1 : index + 3]
            masked = raw in _MASKS and before.isalnum() and after.isalnum() and _MASKS.isdisjoint(nearby)
            if index in leet or masked:
                letters = LEET_LETTERS.get(raw, ascii_lowercase)
            else:
                gap = _WIDE if gap in (_SPACE, _WIDE) else _SIGNS
                continue
        elif char in LEET_LETTERS:
            letters = LEET_LETTERS[char]
        if gap != _TOUCHING:
            part += 1
        letter = char if not letters or char in LEET_LETTERS else letters[0]
        atoms.append(_Atom(letter, letters, gap, capital=raw.isupper(), sign=not readable, part=part))
        gap = _TOUCHING
    return atoms


def _list_options(atom: _Atom, *, alone: bool, mixed: bool = False) -> tuple[tuple[str, float], ...]:
    """List the letters that an atom may stand for, with costs; digits without adjacent letters are usually numbers."""
    if atom.sign and len(atom.letters) > 2:
        return tuple((letter, _MASKED) for letter in atom.letters)
    if atom.sign or atom.char.isdigit():
        cost = _DIGITS_ALONE if alone and not atom.sign else _LEET_OFTEN if mixed else _LEET_COST
        return tuple((letter, cost) for letter in atom.letters)
    return tuple((letter, _SECOND_GUESS * index) for index, letter in enumerate(atom.letters))


def _compute_crossing_cost(before: _Atom, atom: _Atom, sizes: Mapping[int, int], narrowest: int) -> float:
    """Compute the cost of continuing a word from one atom to the next."""
    if before.part == atom.part:
        return _HUMP if _is_camel_case(before, atom) else 0.0
    single_letters = (sizes[before.part] == 1) + (sizes[atom.part] == 1)
    if single_letters == 2:
        return _NARROW if atom.gap == narrowest else _BROAD
    if single_letters == 1 and atom.gap == _SPACE:
        return _BESIDE_ONE
    return _CROSSING[atom.gap]


def _compute_boundary_cost(before: _Atom | None, atom: _Atom) -> float:
    """Compute the cost of a word that begins with an atom."""
    if before is None or before.part != atom.part or before.sign:
        return 0.0
    return 0.0 if _is_camel_case(before, atom) else SPLIT_COST


def _is_camel_case(before: _Atom, atom: _Atom) -> bool:
    """Whether a capital follows a lower-case letter, as in camelCase."""
    return atom.capital and not before.capital
