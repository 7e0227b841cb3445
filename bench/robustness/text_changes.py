"""Changes of a text, from single letters to whole words, that disguises are made of."""

from collections.abc import Callable
from random import Random

Change = Callable[[str, Random], str]
"""Takes a text and a source of random numbers, and returns another text."""

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def join_words(mark: str) -> Change:
    """Put a mark between words."""
    return lambda text, _: mark.join(text.split())


def join_letters(mark: str, words: str = " ") -> Change:
    """Put a mark between the letters of each word, and ``words`` between words."""
    return lambda text, _: words.join(mark.join(word) for word in text.split())


def wrap_words(before: str, after: str, gap: str = " ") -> Change:
    """Put marks around each word, and ``gap`` between words."""
    return lambda text, _: gap.join(f"{before}{word}{after}" for word in text.split())


def change_letters(change: Callable[[str], str]) -> Change:
    """Change each ASCII letter."""
    return lambda text, _: "".join(change(char) if char.isascii() and char.isalpha() else char for char in text)


def change_characters(change: Callable[[str], str], gap: str = "") -> Change:
    """Change each character, with ``gap`` between the results."""
    return lambda text, _: gap.join(map(change, text))


def change_words(change: Callable[[str], str], gap: str = " ") -> Change:
    """Change each word, with ``gap`` between the results."""
    return lambda text, _: gap.join(map(change, text.split()))


def swap_letters(letters: str, twins: str) -> Change:
    """Replace letters by look-alikes."""
    table = str.maketrans(letters, twins)
    return lambda text, _: text.translate(table)


def shift_letters(capital: int | None, small: int | None = None) -> Change:
    """Replace letters by those of another block of Unicode, given the code points of its A and its a."""

    def change(char: str) -> str:
        if char.isupper():
            return chr(capital + ord(char) - ord("A")) if capital is not None else char
        start = small if small is not None else capital
        return chr(start + ord(char) - ord("a")) if start is not None else char

    return change_letters(change)


def chain_changes(*changes: Change) -> Change:
    """Apply several changes, one after the other."""

    def change(text: str, rng: Random) -> str:
        for one in changes:
            text = one(text, rng)
        return text

    return change


def mark_letters(count: int) -> Change:
    """Put random combining marks on each letter."""
    marks = "\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0323\u0327\u0328\u0331\u0336"

    def change(text: str, rng: Random) -> str:
        return "".join(char + "".join(rng.choices(marks, k=count)) if char.isalpha() else char for char in text)

    return change
