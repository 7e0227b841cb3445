"""The output rail: replies are judged while they are generated, and held back until they are judged.

Every ``window`` tokens (fewer at the beginning, see ``reply_windows``) the guard judges the newest text. The released
text is always one window behind the generated text, so a reply that turns harmful is cut before its harmful words are
sent. Words after the cut are dropped, with ``content_filter`` as the reason. Fail closed: a reply that cannot be judged
fails. Under a policy in shadow mode the reply continues, and is only recorded as harmful.
Wraps a generator and has its interface. Knows no torch, no model and no policy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from safety_core.engine.exceptions import describe
from safety_core.engine.generation.reply_windows import ReplyWindows
from safety_core.engine.messages import FinishReason, GeneratorLike
from safety_core.errors import GenerationError

_logger = logging.getLogger(__name__)


class Ruling(StrEnum):
    """What becomes of a reply."""

    SAY = "say"
    CUT = "cut"
    WOULD_CUT = "would_cut"
    """It would be cut, but its rules are not enforced."""


Judge = Callable[[Sequence[str], Sequence[Any]], Sequence[Ruling | None]]
"""A ruling on each text under its job's rules; None where there is no verdict."""


@dataclass(slots=True, eq=False)
class WatchedRow:
    """A reply that is being made, as far as it may be known."""

    inner: Any
    """The generator's own row."""

    windows: ReplyWindows
    """Its text as it is judged and released."""

    rules: Any = None
    """What it is judged by."""

    text: str = ""
    """What has been said."""

    harmful: bool = False
    """Whether it turned harmful."""

    cut: bool = False
    """Whether it ended there."""

    unjudged: bool = False
    """Whether there was no verdict on it."""

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self.cut or self.unjudged or bool(self.inner.done)

    @property
    def failure(self) -> Exception | None:
        """Why it failed, if it did."""
        if self.unjudged:
            return GenerationError("the reply could not be judged")
        failure: Exception | None = None if self.cut else self.inner.failure
        return failure

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it ended; None while it runs, and where it failed."""
        if self.cut:
            return "content_filter"
        reason: FinishReason | None = None if self.unjudged else self.inner.finish_reason
        return reason

    @property
    def prompt_positions(self) -> int:
        """Positions of its prompt."""
        return int(self.inner.prompt_positions)

    @property
    def token_ids(self) -> Sequence[int]:
        """The tokens that were made, those that were never said included."""
        ids: Sequence[int] = self.inner.token_ids
        return ids


@dataclass(frozen=True, slots=True)
class Said:
    """What one step let out of one reply."""

    row: WatchedRow
    """The reply."""

    piece: str
    """Text that may be said now."""


class WatchedGenerator:
    """A generator whose replies are judged on their way.

    Args:
        generator: makes the replies.
        judge: judges the text of several at once.
        window: tokens between two judgements of a reply, and by which what is said lags behind.
    """

    def __init__(self, generator: GeneratorLike, judge: Judge, *, window: int) -> None:
        self._generator = generator
        self._judge = judge
        self._window = window
        self._rows: dict[int, WatchedRow] = {}

    @property
    def running(self) -> int:
        """Replies that are being made."""
        return self._generator.running

    def row(self, job: Any) -> WatchedRow:
        """A reply that has not begun; raises as the generator does."""
        return WatchedRow(self._generator.row(job), ReplyWindows(self._window), job.rules)

    def fits(self, joining: Sequence[WatchedRow]) -> bool:
        """Whether replies may join those that run."""
        return self._generator.fits([row.inner for row in joining])

    def admit(self, rows: Sequence[WatchedRow]) -> list[Said]:
        """Let replies join: each one's first token."""
        self._rows |= {id(row.inner): row for row in rows}
        return self._watched(self._generator.admit([row.inner for row in rows]))

    def step(self) -> list[Said]:
        """One more token of every running reply."""
        return self._watched(self._generator.step())

    def drop(self, row: WatchedRow) -> None:
        """Stop a reply."""
        self._rows.pop(id(row.inner), None)
        self._generator.drop(row.inner)

    def release(self) -> None:
        """Give back memory that no running reply needs."""
        self._generator.release()

    def _watched(self, made: Sequence[Any]) -> list[Said]:
        made = [one for one in made if id(one.row) in self._rows]
        rows = [self._rows[id(one.row)] for one in made]
        for row, one in zip(rows, made, strict=True):
            row.windows.push(one.piece)
        due = self._due([row for row in rows if row.failure is None])
        for row, ruling in zip(due, self._rulings_whatever_raises(due), strict=True):
            row.windows.mark_judged()
            row.harmful |= ruling in (Ruling.CUT, Ruling.WOULD_CUT)
            row.cut, row.unjudged = ruling is Ruling.CUT, ruling is None
            if row.done and not row.inner.done:
                self._generator.drop(row.inner)
        said = [Said(row, self._released(row)) for row in rows]
        for row in rows:
            if row.done:
                self._rows.pop(id(row.inner), None)
        return said

    def _due(self, rows: Sequence[WatchedRow]) -> list[WatchedRow]:
        """Who is judged now: whose window is full or who has ended, and then whoever is nearly there as well.

        Rows that were judged together are due together again, so that many replies cost hardly more passes than one.
        """
        due = [row for row in rows if row.inner.done or row.windows.full]
        return [row for row in rows if row in due or row.windows.nearly_full] if due else []

    def _rulings_whatever_raises(self, due: Sequence[WatchedRow]) -> Sequence[Ruling | None]:
        """Decisions on some replies; if judging raises, each is judged alone; one that raises again has no decision."""
        try:
            rulings = self._rulings(due)
            if len(rulings) == len(due):
                return rulings
        except Exception as exc:
            _logger.error("replies were not judged: %s", describe(exc))
        if len(due) == 1:
            return [None]
        return [ruling for row in due for ruling in self._rulings_whatever_raises([row])]

    def _rulings(self, due: Sequence[WatchedRow]) -> Sequence[Ruling | None]:
        """What the judge says of their newest words; who said nothing new needs no ruling."""
        texts = [row.windows.text() for row in due]
        asked = [(text, row.rules) for text, row in zip(texts, due, strict=True) if text.strip()]
        found = iter(self._judge([text for text, _ in asked], [rules for _, rules in asked]) if asked else ())
        return [next(found) if text.strip() else Ruling.SAY for text in texts]

    def _released(self, row: WatchedRow) -> str:
        """What of the held words may be said now: all of an ended reply, else all but a window."""
        if row.cut or row.failure is not None:
            row.windows.discard()
            return ""
        piece = row.windows.release_all() if row.done else row.windows.release()
        row.text += piece
        return piece
