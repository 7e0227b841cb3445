"""Recognises texts that need no folding, and folded texts without new words."""

import re

from safety_core.inputs.text.disguises.separators import find_word_between
from safety_core.inputs.text.lexicon import Lexicon
from safety_core.inputs.text.punctuation import CLOSING_MARKS, OPENING_MARKS
from safety_core.inputs.text.sentences import MAX_FRAGMENT_WORDS

_SIMPLE_TOKEN = re.compile(
    r"[\"'(]?(?:([0-9]{1,9}(?:[.,:][0-9]{1,9}){0,3}%?)|((?:[A-Z]?[a-z]+|[A-Z]+)(?:'[a-z]{1,3})?))[.,;:!?\"')]{0,3}"
)
"""Matches a number or a word in usual spelling, with marks around it."""

_APOSTROPHE = re.compile("['\u2019]")


def is_ordinary(text: str, lexicon: Lexicon) -> bool:
    """Whether a text consists of known words with white space between them, so that there is no disguise to undo."""
    if not text.isascii():
        return False
    tokens = text.split()
    letters_alone = ends = opened = 0
    for token in tokens:
        match = _SIMPLE_TOKEN.fullmatch(token)
        if match is None or not (match[1] or match[2].lower().replace("'", "") in lexicon):
            return False
        # Consecutive single letters may form words, and so may words that each end like a sentence.
        letters_alone = letters_alone + 1 if len(match[2] or "") == 1 else 0
        ends += token[-1] in ".!?"
        opened += token[0] in OPENING_MARKS
        if letters_alone > MAX_FRAGMENT_WORDS:
            return False
    if find_word_between(tokens) is not None:
        return False
    return max(ends, opened) <= max(MAX_FRAGMENT_WORDS, len(tokens) // 3)


def has_other_words(folded: str, text: str) -> bool:
    """Whether a folded text contains other words than the text, ignoring case and punctuation at the edges of words."""
    if not folded:
        return False
    stops = sum(word[-1] in ".!?" for word in text.split()) - sum(word[-1] in ".!?" for word in folded.split())
    return stops > MAX_FRAGMENT_WORDS or _strip_edges(folded) != _strip_edges(text)


def _strip_edges(text: str) -> list[str]:
    """Return the words of a text in lower case without punctuation at their edges; words with digits are left out."""
    words = text.lower().split()
    # Marks before one or two words are quotation marks or brackets; marks before most words are a disguise.
    if sum(word[0] in OPENING_MARKS for word in words) <= max(2, len(words) // 3):
        words = [word.lstrip(OPENING_MARKS) for word in words]
    words = [word.rstrip(CLOSING_MARKS) for word in words]
    words = [word for word in words if word and not any(map(str.isdigit, word))]
    return [_APOSTROPHE.sub("", word) if len(_APOSTROPHE.findall(word)) == 1 else word for word in words]
