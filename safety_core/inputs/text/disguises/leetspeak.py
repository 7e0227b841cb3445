"""Digits and signs that stand for letters (leetspeak): the letters, and where in a text signs may be letters."""

import re

from safety_core.inputs.text.punctuation import CLOSING_MARKS

LEET_LETTERS = {
    **{"0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "t", "8": "b", "9": "g"},
    **{"@": "a", "$": "s", "!": "i", "|": "il", "€": "e", "£": "l", "¢": "c", "+": "t", "¥": "y", "§": "s"},
}
"""Digits and signs that stand for letters."""

_LEET_SIGNS = frozenset(sign for sign in LEET_LETTERS if not sign.isdigit())

_INNER_DIGITS = re.compile(r"(?<=[^\W\d_])[0-9]{1,4}(?=[^\W\d_])")

_INNER_SIGN = re.compile(r"(?<=[^\W\d_])[@$!|\u20ac\u00a3]{1,4}(?=[^\W\d_])")
_LEET_TOKEN = re.compile(r"[\w@$!|\u20ac\u00a3\u00a2+\u00a5\u00a7]+")
_LETTER_OR_DIGIT = re.compile(r"\w")
_LEET_WORD = re.compile(r"[A-Za-z][0134578@$!|][A-Za-z]|[A-Za-z][0134578@$](?![\w.])")

_LONE_LEET = re.compile(r"(?<!\S)(?:[1!|]|(@))(?!\S)")
"""Matches a single sign between spaces, which may stand for the word I or a if other signs stand for letters."""


def has_leet_digits(text: str) -> bool:
    """Whether several words have digits between their letters, so that other digits are likely to stand for letters."""
    return len(_INNER_DIGITS.findall(text)) > 1


def replace_lone_signs(text: str) -> str:
    """Replace single signs between spaces by the words I and a, if other signs of the text stand for letters."""
    return _LONE_LEET.sub(lambda match: "a" if match[1] else "i", text) if _LEET_WORD.search(text) else text


def find_leet_positions(text: str) -> set[int]:
    """Find the positions where signs may stand for letters: in words with letters or digits, and between such words."""
    places: set[int] = set()
    often = len(_INNER_SIGN.findall(text)) > 1
    for word in _LEET_TOKEN.finditer(text):
        core = word[0].rstrip(CLOSING_MARKS)
        if len(core) > 1 and (often or _LETTER_OR_DIGIT.search(word[0])):
            places.update(word.start() + at for at, char in enumerate(core) if char in _LEET_SIGNS)
    return places
