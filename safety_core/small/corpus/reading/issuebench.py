"""Requests made of IssueBench: openings of its users' requests × its issues × three framings.

An issue is combined only with openings of its own split, so a test request shares neither its issue nor its opening
with a trained one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from safety_core.small.corpus.hashing import Shares, pick_split, rank
from safety_core.small.corpus.labels.issues import ISSUE_KINDS
from safety_core.small.corpus.labels.words import read_words
from safety_core.small.corpus.records import Split

ISSUE_SHARES: Shares = (("train", 0.62), ("calibration", 0.10), ("development", 0.08), ("test", 0.20))
"""Shares of the issues, and of the openings, in each split."""

FRAMINGS = {"neutral": 4, "pro": 3, "con": 3}
"""Framings of an issue, and the number of openings that each is combined with."""

_OPENING = re.compile(r"(?P<opening>[a-z0-9][a-z0-9' -]{5,70}?) about\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One issue with its three framings."""

    topic: str
    """The set's id of the topic."""

    excluded: bool
    """Whether the set marks it as no topic."""

    neutral: str
    pro: str
    con: str

    @property
    def kind(self) -> str:
        """Kind of the topic, as the rules for labels name it."""
        return "excluded" if self.excluded else ISSUE_KINDS.get(self.topic, "unlisted")

    @property
    def family(self) -> str:
        """Name that all requests about the issue share."""
        return f"issue-{self.topic}"

    def get_framing(self, name: str) -> str:
        """Text of one of :data:`FRAMINGS`."""
        framings = {"neutral": self.neutral, "pro": self.pro, "con": self.con}
        return " ".join(framings[name].split())


def pick_issue_split(family: str) -> Split:
    """Pick the split of all requests about an issue."""
    return pick_split(family, ISSUE_SHARES)


def find_openings(requests: Iterable[str]) -> dict[Split, list[str]]:
    """Find the openings of requests that say only what kind of text to write, without repetitions, by their split.

    Openings that differ only in numbers or politeness are in the same split.
    """
    plain, kinds = (frozenset(read_words()[name]) for name in ("plain openings", "kinds of text"))
    openings = {match["opening"] for request in requests if (match := _OPENING.match(request))}
    found: dict[Split, list[str]] = {split: [] for split, _ in ISSUE_SHARES}
    for opening in sorted(openings, key=rank):
        words = re.findall(r"[a-z']+", opening.lower())
        if plain.issuperset(words) and not kinds.isdisjoint(words):
            key = " ".join(word for word in words if word not in ("please", "can", "could", "you", "a", "an", "me"))
            found[pick_split(f"opening/{key}", ISSUE_SHARES)].append(opening)
    return found


def combine_issue(issue: Issue, openings: dict[Split, list[str]]) -> Iterator[tuple[str, str]]:
    """Yield (framing, request) for an issue, with openings of the issue's split."""
    usable = openings[pick_issue_split(issue.family)]
    for framing, count in FRAMINGS.items():
        order = sorted(usable, key=lambda opening: rank(f"{issue.family}/{framing}/{opening}"))
        for opening in order[:count]:
            yield framing, f"{opening} about {issue.get_framing(framing)}"
