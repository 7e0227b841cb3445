"""Removes words, letters and digits that separate the words or letters of a text, and recognises texts in columns."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from safety_core.inputs.text.lexicon import Lexicon
from safety_core.inputs.text.punctuation import CLOSING_MARKS, OPENING_MARKS
from safety_core.inputs.text.sentences import MAX_FRAGMENT_WORDS

_LITERAL_WHITE = re.compile(r"\\{1,2}[nrtvf](?![A-Za-z]{0,24}\*?\{)")
"""Escape sequences for white space."""

_SEPARATED_TOKENS, _LEAST_SEPARATED, _LONGEST_SEPARATED, _LEAST_SEPARATORS = 64, 5, 512, 3
"""Maximum words of a text that are searched for a separating character; minimum words or letters around it; maximum
length of such a word; and minimum number of occurrences of the character."""

_LEAST_KNOWN_SHARE = 0.8
"""Minimum share of letters in known words for a character to count as a separator."""

_MOST_BLANKS = 4
"""Maximum cells of a text in columns, relative to its length."""


def remove_separators(text: str, lexicon: Lexicon) -> Iterator[str]:
    """Yield a text without separators that consist of letters: literal escapes, a repeated word, a repeated letter."""
    if "\\" in text:
        escapes = len(_LITERAL_WHITE.findall(text))
        if escapes:  # between all letters, or between words
            yield _LITERAL_WHITE.sub("" if 3 * escapes > sum(map(str.isalpha, text)) - escapes else " ", text)
    tokens = text.split()
    between = find_word_between(tokens)
    if between is not None:
        yield " ".join(token for token in tokens if token.lower() != between)
    parts = [_split_by_character(token, lexicon) for token in tokens[:_SEPARATED_TOKENS]]
    if parts != tokens[:_SEPARATED_TOKENS]:
        yield " ".join([*parts, *tokens[_SEPARATED_TOKENS:]])


def find_word_between(tokens: Sequence[str]) -> str | None:
    """Find the word, in lower case, that separates all other words; None if there is none."""
    if len(tokens) < _LEAST_SEPARATED:
        return None
    for start in (1, 0):
        places = {token.lower() for token in tokens[start::2]}
        if len(places) == 1 and len({token.lower() for token in tokens}) > MAX_FRAGMENT_WORDS:
            return places.pop()
    return None


def _split_by_character(token: str, lexicon: Lexicon) -> str:
    """Split a long word into known words if the same letter or digit separates them."""
    bare = token.lower().strip(OPENING_MARKS + CLOSING_MARKS)
    if not _LEAST_SEPARATED < len(bare) <= _LONGEST_SEPARATED or not bare.isascii() or bare in lexicon:
        return token
    for char, times in Counter(filter(str.isalnum, bare)).most_common():
        if times < _LEAST_SEPARATORS:
            break
        parts = bare.split(char)
        known = sum(len(part) for part in parts if len(part) > 1 and part in lexicon)
        if known >= _LEAST_KNOWN_SHARE * sum(map(len, parts)):
            return token.lower().replace(char, " ")
    return token


def is_in_columns(text: str) -> bool:
    """Whether a text has several lines of single characters, to be read from top to bottom."""
    words, lines = text.split(), text.split("\n")
    if len(lines) < 3 or len(words) <= len(lines) or any(len(word) > 1 for word in words):
        return False
    return max(map(len, lines)) * len(lines) <= _MOST_BLANKS * len(text)  # bounds the work: every cell is read
