"""Requests between preparation and verdict, and the amount of work that judging them takes. Knows no torch and no HTTP.

A guard keeps its own data about a request, such as pixels and features, in subclasses of these.
"""

from __future__ import annotations

from dataclasses import dataclass

from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.lettering.bounded_reader import PictureReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An amount of judging work, in units whose duration can be measured."""

    requests: int = 0
    """Number of requests, each of which has a fixed cost."""

    views: int = 0
    """Views of images that go through vision tower and safety projector."""

    tokens: int = 0
    """Tokens that the head reads, over all views and text variants, with a surcharge for each input of the head and
    for each image in it."""

    def __add__(self, other: Work) -> Work:
        return Work(
            requests=self.requests + other.requests,
            views=self.views + other.views,
            tokens=self.tokens + other.tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRequest:
    """A request that is ready to be judged."""

    request: GuardRequest
    """The request."""

    cost: int = 1
    """Share of a batch that the request takes: about the number of its views, at least 1."""

    readings: tuple[PictureReading, ...] = ()
    """Results of reading the lettering of each image; empty if lettering is not read."""

    work: Work | None = None
    """The work of judging the request; if None, as many views as its cost."""

    @property
    def amount(self) -> Work:
        """The work of judging the request."""
        return Work(requests=1, views=self.cost) if self.work is None else self.work


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRequest:
    """A request with its verdict."""

    verdict: GuardVerdict
    """The verdict."""

    nbytes: int = 0
    """Bytes of the data kept for a reply."""
