"""Builds the variants of a reply window for the safety head: original, displayed, plain, and with disguises undone.

Replies get the same variants as prompts (``folding``). Many windows are judged per second, so a window of plain English
is not searched for disguises. Pure text; knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from safety_core.inputs.text.disguises.separators import find_word_between
from safety_core.inputs.text.folding import fold
from safety_core.inputs.text.invisible_characters import reveal_hidden
from safety_core.inputs.text.lexicon import Lexicon, load_english
from safety_core.inputs.text.normalisation import lower_capitals, normalise

_WORD = re.compile(r"[\"'(\[]?([A-Za-z]+(?:'[a-z]{1,2})?|\d{1,4})[\"')\]]?[.,;:!?]?[\"')]?")
"""Matches a word or a number of plain text, with the marks at its edges."""

_CAPITALS = re.compile(r"[A-Z]{2}")
"""Matches possible role markers and special tokens: several capitals, or signs that no plain word has."""

_ONE_LETTER = frozenset("aAI")
_MOST_SHORT = 0.5
"""Maximum share of words of at most two letters in plain text; words that are cut into pieces have a larger share."""


def build_reply_variants(
    text: str, remove_template_words: Callable[[str], str], lexicon: Lexicon | None = None
) -> tuple[str, ...]:
    """Build all variants of a reply window, without duplicates, the text itself first.

    Args:
        text: the window.
        remove_template_words: removes role markers and special tokens from a text.
        lexicon: words that disguised texts are searched for; English words if None.
    """
    usual = text.isascii() and text.isprintable()
    if usual and not _CAPITALS.search(text) and is_plain(line := " ".join(text.split())):
        return tuple(dict.fromkeys((text, line if line[1:].islower() else lower_capitals(line))))
    displayed = text if usual else normalise(text)
    bare = remove_template_words(displayed)
    line = " ".join(bare.split())
    plain = lower_capitals(line)
    # Capitals may hide a marker, and the text around a marker may form another one.
    plain = lower_capitals(" ".join(remove_template_words(plain).split()))
    folded = () if is_plain(line) else fold(bare, lexicon)
    revealed = [] if usual else [lower_capitals(" ".join(hidden.split())) for hidden in reveal_hidden(text)]
    variants = (text, displayed, plain, *folded, *revealed)
    return tuple(dict.fromkeys(variant for variant in variants if variant.strip())) or (text,)


def is_plain(text: str) -> bool:
    """Whether a text consists of known English words in usual spelling, so that there is no disguise to undo."""
    words = text.split(" ")
    # A window may begin and end within a word.
    inner = words[1:-1] if len(words) > 2 else words
    if find_word_between(words) is not None:
        return False
    short = 0
    known = load_english()
    for word in inner:
        match = _WORD.fullmatch(word)
        if match is None:
            return False
        letters = match[1]
        if letters.isdigit():
            continue
        if len(letters) == 1 and letters not in _ONE_LETTER:
            return False
        short += len(letters) <= 2
        if letters.lower().replace("'", "") not in known or not _has_usual_case(letters):
            return False
    return short <= _MOST_SHORT * len(inner) or len(inner) < 3


def _has_usual_case(word: str) -> bool:
    return word.islower() or word.isupper() or word[1:].islower()
