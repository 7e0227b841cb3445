"""English words with their frequencies, and segmentation of letters into the most likely words.

The words come from symspellpy's frequency dictionary (Google Books n-grams intersected with SCOWL). Segmentation is
dynamic programming over a trie: linear in the length of the text, with bounded work for each character. Pure text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log10
from string import ascii_lowercase
from typing import Any

MAX_WORDS = 40_000
"""Number of words; rarer words match noise more often than real words."""

MAX_WORD_LENGTH = 36
"""Maximum characters that are tried as one word, including repeated letters and separators."""

_MAX_STATES = 32
_MAX_STEPS = 72
"""Maximum alternatives that are followed from one character, over all word lengths."""

_FRUGAL_STEPS = 12
"""Maximum alternatives once the effort is used up; each character is then read only as its most likely letter."""

STEPS_PER_CHARACTER = 40
"""Steps granted per character of a text; plain text takes fewer."""

SPARE_STEPS = 40_000
"""Additional steps granted to all texts of one request; a million steps take about half a second on a common core."""

_STEPS_PER_SYMBOL = 24
"""Fixed steps per character, regardless of the letters that it may stand for."""

_DICTIONARY = "frequency_dictionary_en_82_765.txt"
_UNFAMILIAR = 5.5
"""Cost of a word of unknown frequency."""

SPLIT_COST = 1.5
"""Cost of a word without a gap before it."""

_UNKNOWN_START, _UNKNOWN_LETTER = 4.5, 1.5
_NUMBER_START, _NUMBER_DIGIT = 2.0, 0.6
_REPEATED = 0.4
_EASY_CROSSING = 1.0

Trie = dict[str, Any]
"""Letter → next node; the key "" maps to the (cost, word) that ends here."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """One character of a text that is segmented into words."""

    options: tuple[tuple[str, float], ...]
    """The letters that the character may stand for, each with its cost; empty for a separator."""

    literal: str
    """Spelling of the character in an unknown word; empty for a separator."""

    crossing: float = 0.0
    """Cost of a word that continues across the gap before this character."""

    boundary: float = SPLIT_COST
    """Cost of a word that begins with this character."""

    skipping: float | None = None
    """Cost of skipping the character inside a word; None if it cannot be skipped."""


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The most likely words of a run of characters."""

    words: tuple[str, ...]
    """The words in order, in lower case; unknown words are unchanged."""

    explained: float
    """Share of letters in known words, 0 to 1."""

    cost: float = 0.0
    """Total cost; lower is more likely. Comparable only between segmentations with the same number of letters."""


@dataclass(slots=True)
class Effort:
    """Remaining steps for some texts, so that deliberately ambiguous texts cannot consume unbounded time.

    Once the steps are used up, texts are still segmented, with fewer alternatives.
    """

    left: int = SPARE_STEPS
    """Number of remaining steps."""

    @property
    def used_up(self) -> bool:
        """Whether no steps remain."""
        return self.left <= 0

    def add(self, characters: int) -> None:
        """Grant the steps for a further text."""
        self.left = max(self.left, 0) + STEPS_PER_CHARACTER * characters


class Lexicon:
    """Known words.

    Args:
        words: cost of each word; frequent words have lower costs.
        base: a lexicon with further words, which is shared and not copied.
    """

    def __init__(self, words: Iterable[tuple[str, float]], base: "Lexicon | None" = None) -> None:
        own: Trie = {}
        self._roots: tuple[Trie, ...] = (own,) if base is None else (*base._roots, own)
        self._words: dict[str, float] = {}
        self._base = base
        for word, cost in words:
            if word not in self:
                self._words[word] = cost
                _insert(own, word, cost)

    def __contains__(self, word: str) -> bool:
        return word in self._words or (self._base is not None and word in self._base)

    def __len__(self) -> int:
        return len(self._words) + (0 if self._base is None else len(self._base))

    def extend(self, words: Iterable[str]) -> "Lexicon":
        """Return a lexicon that also contains further words, of unknown frequency."""
        return Lexicon(((word, _UNFAMILIAR) for word in words), base=self)

    def get_cost(self, word: str) -> float | None:
        """Return the cost of a word; None if it is unknown."""
        own = self._words.get(word)
        return own if own is not None or self._base is None else self._base.get_cost(word)

    def correct(self, word: str) -> str | None:
        """Find the most likely known word within one typing error: letters swapped, changed, omitted or added."""
        cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
        swapped = {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
        other = {head + tail[1:] for head, tail in cuts if tail}
        for letter in ascii_lowercase:
            other.update(head + letter + tail[1:] for head, tail in cuts if tail)
            other.update(head + letter + tail for head, tail in cuts)
        for candidates in (swapped, other):
            known = [(cost, candidate) for candidate in candidates if (cost := self.get_cost(candidate)) is not None]
            if known:
                return min(known)[1]
        return None

    def segment(self, symbols: Sequence[Symbol], effort: Effort | None = None) -> Segmentation:
        """Segment characters into the most likely words; a word must end at the last character.

        Args:
            symbols: the characters.
            effort: bounds the alternatives that are followed; if None, a new effort for one text.
        """
        count = len(symbols)
        if effort is None:
            effort = Effort()
            effort.add(count)
        effort.left -= _STEPS_PER_SYMBOL * count
        best = [0.0] + [float("inf")] * count
        back: list[tuple[int, str | None]] = [(0, None)] * (count + 1)
        unknown, unknown_start = [float("inf")] * (count + 1), [0] * (count + 1)
        for start in range(count):
            symbol = symbols[start]
            if not symbol.literal and best[start] < best[start + 1]:
                best[start + 1], back[start + 1] = best[start], (start, "")
            self._extend_unknown(symbols, start, best, unknown, unknown_start)
            if unknown[start + 1] < best[start + 1]:
                best[start + 1], back[start + 1] = unknown[start + 1], (unknown_start[start + 1], None)
            if symbol.options:
                self._extend_words(symbols, start, best, back, effort)
        return _trace_back(symbols, back, best[count])

    @staticmethod
    def _extend_unknown(
        symbols: Sequence[Symbol], at: int, best: list[float], unknown: list[float], start_of: list[int]
    ) -> None:
        """Extend an unknown word or number by one character."""
        symbol = symbols[at]
        if not symbol.literal:
            if symbol.skipping is not None:
                unknown[at + 1], start_of[at + 1] = unknown[at] + symbol.skipping, start_of[at]
            return
        digit = symbol.literal.isdigit()
        begin = _NUMBER_START if digit else _UNKNOWN_START
        each = _NUMBER_DIGIT if digit else _UNKNOWN_LETTER
        fresh = best[at] + (symbol.boundary if at else 0.0) + begin + each
        # Only known words may be joined across spaces; an unknown word would absorb adjacent words.
        gap_cost = 0.0 if symbol.crossing <= _EASY_CROSSING else _UNKNOWN_START
        longer = unknown[at] + symbol.crossing + gap_cost + each
        if longer <= fresh:
            unknown[at + 1], start_of[at + 1] = longer, start_of[at]
        else:
            unknown[at + 1], start_of[at + 1] = fresh, at

    def _extend_words(
        self,
        symbols: Sequence[Symbol],
        start: int,
        best: list[float],
        back: list[tuple[int, str | None]],
        effort: Effort,
    ) -> None:
        """Match every known word that begins at one character."""
        base = best[start] + (symbols[start].boundary if start else 0.0)
        states: list[tuple[Trie, float]] = [(root, base) for root in self._roots]
        before = ""
        frugal = effort.used_up
        steps = _FRUGAL_STEPS if frugal else _MAX_STEPS
        for at in range(start, min(len(symbols), start + MAX_WORD_LENGTH)):
            symbol = symbols[at]
            crossing = symbol.crossing if at > start else 0.0
            nodes: dict[int, tuple[Trie, float]] = {}
            repeated = at > start and symbol.literal != "" and symbol.literal == before
            options = symbol.options[:1] if frugal else symbol.options
            if not frugal:
                effort.left -= len(states) * (1 + len(options))
            for node, cost in states:
                for letter, price in options:
                    child = node.get(letter)
                    if child is not None:
                        _keep(nodes, child, cost + price + crossing)
                if at > start:
                    if repeated:
                        _keep(nodes, node, cost + _REPEATED + crossing)
                    if symbol.skipping is not None:
                        _keep(nodes, node, cost + symbol.skipping)
            steps -= len(states)
            if not nodes or steps < 0:
                return
            states = list(nodes.values())
            if len(states) > _MAX_STATES:
                states = sorted(states, key=lambda state: state[1])[:_MAX_STATES]
            before = symbol.literal or before
            for node, cost in states:
                end = node.get("")
                if end is not None and cost + end[0] < best[at + 1]:
                    best[at + 1], back[at + 1] = cost + end[0], (start, end[1])


@cache
def load_english() -> Lexicon:
    """Load the most frequent English words; the first call takes about a tenth of a second."""
    text = files("symspellpy").joinpath(_DICTIONARY).read_text(encoding="utf-8-sig")
    counted = [line.split() for line in text.splitlines() if line.strip()]
    total = sum(int(count) for _, count in counted)
    words = [(word, log10(total / int(count))) for word, count in counted[:MAX_WORDS] if word.isalpha()]
    # The dictionary ends with contractions, whose frequencies are not measured; apostrophes are often omitted.
    joined = [(word.replace("'", ""), 5.0) for word, _ in counted if "'" in word]
    return Lexicon((*words, *joined))


def _insert(root: Trie, word: str, cost: float) -> None:
    node = root
    for letter in word:
        node = node.setdefault(letter, {})
    node[""] = (cost, word)


def _keep(nodes: dict[int, tuple[Trie, float]], node: Trie, cost: float) -> None:
    known = nodes.get(id(node))
    if known is None or cost < known[1]:
        nodes[id(node)] = (node, cost)


def _trace_back(symbols: Sequence[Symbol], back: Sequence[tuple[int, str | None]], cost: float) -> Segmentation:
    """Follow the best path from the end to the beginning and collect its words."""
    words: list[str] = []
    letters = explained = 0
    end = len(symbols)
    while end:
        start, word = back[end]
        size = sum(1 for symbol in symbols[start:end] if symbol.literal)
        letters += size
        if word is None:
            words.append("".join(symbol.literal for symbol in symbols[start:end]))
        elif word:
            words.append(word)
            explained += size
        end = start
    return Segmentation(tuple(reversed(words)), explained / letters if letters else 0.0, cost)
