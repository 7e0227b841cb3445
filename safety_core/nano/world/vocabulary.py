"""The vocabulary of lettering, and the phrases built from it.

Each phrase belongs to one *content* row of the labelling table. Phrases overlap on purpose: a harmful request shares
its verb or its object with harmless ones ("make a cake", "make a bomb"; "wash a car", "steal a car"), and a predicate
that is false of one thing is true of another ("snow is cold", "fire is cold"). No phrase contains instructions.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import yaml

from safety_core.nano.world.things import ASSETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Words that are rendered into a picture, and their row of the labelling table."""

    words: tuple[str, ...]
    """The words in reading order, lower case."""

    content: str
    """The row of the labelling table."""

    topic: str = ""
    """Topic of a request, as replies name it; empty for other phrases."""


_WORDS = yaml.safe_load((ASSETS / "words.yaml").read_text(encoding="utf-8"))
_REQUESTS = _WORDS["requests"]

FACTS: dict[str, tuple[str, str]] = {subject: (right, wrong) for subject, (right, wrong) in _WORDS["facts"].items()}
"""Subject → (true predicate, false predicate)."""

GROUPS: tuple[str, ...] = tuple(_WORDS["groups"])
"""Invented groups of people; no real group is named."""

CONTEMPT: tuple[str, ...] = tuple(_WORDS["contempt"])
"""Contemptuous predicates of groups."""

REQUESTS_BENIGN: tuple[tuple[str, str], ...] = tuple(
    itertools.product(
        (*_REQUESTS["benign_verbs"], *_REQUESTS["shared_verbs"]),
        (*_REQUESTS["benign_objects"], *_REQUESTS["shared_objects"]),
    )
)
"""(verb, object) of harmless requests."""

REQUESTS_HARMFUL: tuple[tuple[str, str], ...] = tuple(
    itertools.chain(
        # The last benign objects are included, so that the object alone does not determine the risk.
        itertools.product(
            _REQUESTS["harmful_verbs"], (*_REQUESTS["shared_objects"], *_REQUESTS["benign_objects"][-4:])
        ),
        itertools.product(_REQUESTS["shared_verbs"], _REQUESTS["harmful_objects"]),
    )
)
"""(verb, object) of harmful requests."""

_GRAMMAR_WORDS = ("how", "to", "steps", "please", "a", "is", "are", "all", "vote", "for", "party", "join", "the")

PHRASE_CONTENTS = (
    "sign",
    "number",
    "request_benign",
    "request_harmful",
    "claim_true",
    "claim_false",
    "group_praise",
    "group_contempt",
    "kindness",
    "insult_text",
    "campaign",
    "private_number",
)
"""The content rows that consist of words."""


def _sample_digits(rng: Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def _sample_request(rng: Random, pair: tuple[str, str], content: str) -> Phrase:
    verb, thing = pair
    lead = rng.choice(((), ("how", "to"), ("steps", "to"), ("please",)))
    return Phrase(words=(*lead, verb, "a", thing), content=content, topic=f"{verb} a {thing}")


def sample_phrase(rng: Random, content: str) -> Phrase:
    """Sample a phrase for one content row.

    Raises:
        ValueError: the row does not consist of words.
    """
    match content:
        case "sign":
            words = tuple(rng.sample(_WORDS["signs"], rng.choice((1, 1, 2, 3))))
        case "number":
            words = (rng.choice(_WORDS["number_signs"]), _sample_digits(rng, rng.choice((2, 3))))
        case "private_number":
            words = (
                rng.choice(_WORDS["private_numbers"]),
                _sample_digits(rng, 4),
                _sample_digits(rng, rng.choice((3, 4))),
            )
        case "request_benign":
            return _sample_request(rng, rng.choice(REQUESTS_BENIGN), content)
        case "request_harmful":
            return _sample_request(rng, rng.choice(REQUESTS_HARMFUL), content)
        case "claim_true" | "claim_false":
            subject = rng.choice(tuple(FACTS))
            words = (subject, "is", FACTS[subject][content == "claim_false"])
        case "group_praise" | "group_contempt":
            words = (rng.choice(GROUPS), "are", rng.choice(_WORDS["praise"] if content == "group_praise" else CONTEMPT))
            if rng.random() < 0.5:
                words = ("all", *words)
        case "kindness":
            words = tuple(rng.choice(_WORDS["kindness"]).split())
        case "insult_text":
            words = tuple(rng.choice(_WORDS["insults"]).split())
        case "campaign":
            words = rng.choice(
                (
                    ("vote", "for", rng.choice(_WORDS["candidates"])),
                    ("vote", rng.choice(_WORDS["parties"]), "party"),
                    ("join", "the", rng.choice(_WORDS["parties"]), "party"),
                )
            )
        case _:
            raise ValueError(f"no phrases for content {content!r}")
    return Phrase(words=words, content=content)


def _list_words() -> Iterator[str]:
    for name in ("signs", "number_signs", "private_numbers", "praise", "parties", "candidates"):
        yield from _WORDS[name]
    yield from itertools.chain(GROUPS, CONTEMPT, FACTS, *FACTS.values(), *REQUESTS_BENIGN, *REQUESTS_HARMFUL)
    for phrase in (*_WORDS["insults"], *_WORDS["kindness"]):
        yield from phrase.split()
    yield from _GRAMMAR_WORDS


VOCABULARY: tuple[str, ...] = tuple(sorted(set(_list_words())))
"""Every word of lettering; the position is the vision tower's word class. Numbers are read digit by digit."""
