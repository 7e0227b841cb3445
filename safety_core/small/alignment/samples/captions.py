"""What the captions of a photograph say: sentences to learn, things that they name, people, and numbers of things.

Knows the words of :data:`NOUNS_FILE`; looks at no pixels.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

NOUNS_FILE = Path(__file__).parents[1] / "assets" / "nouns.yaml"
"""Groups of nouns: group → noun → other words for the same thing."""

_AGREED = 2
"""Captions that must name a thing before it counts as shown: a single one may be about what cannot be seen."""

_FEWEST_WORDS, _MOST_WORDS = 5, 24
"""Lengths of captions that are learnt as sentences."""

_ORIGINS = re.compile(
    r"\b(asians?|african|arabs?|arabic|indians?|chinese|japanese|hispanic|latin[oa]?s?|mexican|caucasian|oriental|"
    r"muslims?|jewish|amish|(?:black|white) (?:man|men|woman|women|boy|girl|guy|lady|person|people|kids?|child\w*))\b",
    re.IGNORECASE,
)
"""Words for where people come from, which no picture shows; such captions are not learnt."""

_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6}

_PEOPLE = ("man", "woman", "boy", "girl")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionFacts:
    """What several captions of one photograph agree on."""

    shown: tuple[str, ...]
    """Nouns of things that two captions name."""

    absent: tuple[str, ...]
    """Nouns of things of whose group no caption names anything."""

    person: str
    """``man``, ``woman``, ``boy``, ``girl`` or ``person``, if the captions speak of people; empty otherwise."""

    counts: tuple[tuple[str, int], ...]
    """Nouns with their number, where two captions name both."""


def clean_caption(caption: str) -> str:
    """Turn a caption into a sentence: white space, quotation marks, capital, full stop; empty if it is not learnt."""
    text = re.sub(r"\s+([.,;:!?')])", r"\1", caption.replace('"', " ").strip())
    text = re.sub(r"\s+", " ", text).strip(" .,;")
    if not text.isascii() or _ORIGINS.search(text) or not _FEWEST_WORDS <= len(text.split()) <= _MOST_WORDS:
        return ""
    return f"{text[0].upper()}{text[1:]}."


def read_captions(captions: Sequence[str]) -> CaptionFacts:
    """Find what captions agree on; nothing counts as absent where there are no captions."""
    words = [re.findall(r"[a-z0-9]+", caption.lower()) for caption in captions]
    named = Counter(noun for one in words for noun in {_read_nouns().get(word, "") for word in one} if noun)
    groups = {_read_groups()[noun] for noun in named}
    shown = tuple(noun for noun in _read_groups() if named[noun] >= _AGREED)
    absent = tuple(noun for noun, group in _read_groups().items() if group not in groups) if captions else ()
    return CaptionFacts(shown=shown, absent=absent, person=_find_person(named), counts=tuple(_find_counts(words)))


def list_nouns() -> tuple[str, ...]:
    """List all nouns."""
    return tuple(_read_groups())


def _find_person(named: Counter[str]) -> str:
    """Find the word for the person whom most captions name; "person" if they speak of several or of a child."""
    people = [word for word in _PEOPLE if named[word] >= _AGREED]
    if len(people) == 1:
        return people[0]
    return "person" if people or named["person"] >= _AGREED or named["child"] >= _AGREED else ""


def _find_counts(words: Iterable[Sequence[str]]) -> Iterable[tuple[str, int]]:
    """Find numbers of things: a number, at most two other words, and a noun in the plural."""
    said: Counter[tuple[str, int]] = Counter()
    for caption in words:
        found = set()
        for place, word in enumerate(caption):
            number = _NUMBERS.get(word, 0)
            nouns = (
                _read_nouns().get(other, "") for other in caption[place + 1 : place + 4] if other.endswith(("s", "n"))
            )
            noun = next(filter(None, nouns), "")
            if number and noun:
                found.add((noun, number))
        said.update(found)
    numbers = Counter(noun for (noun, _), times in said.items() if times)
    return [one for one, times in said.items() if times >= _AGREED and numbers[one[0]] == 1]


@cache
def _read_groups() -> dict[str, str]:
    """Map each noun to its group."""
    data = yaml.safe_load(NOUNS_FILE.read_text(encoding="utf-8"))
    return {noun: group for group, nouns in data.items() for noun in nouns}


@cache
def _read_nouns() -> dict[str, str]:
    """Map each word of the file to its noun."""
    data = yaml.safe_load(NOUNS_FILE.read_text(encoding="utf-8"))
    words = {word: noun for nouns in data.values() for noun, others in nouns.items() for word in others}
    return words | {noun: noun for nouns in data.values() for noun in nouns}
