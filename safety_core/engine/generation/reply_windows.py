"""Determines which parts of a reply are judged, when, and how much text may be sent before the next judgement.

A reply is judged in overlapping windows. Windows are counted in tokens, but contain a minimum of letters too: a reply
that is spelled out letter by letter needs many more tokens for the same words. The first windows are short, so that a
reply starts early; judged text is still withheld until another window has been generated.

Replies during generation and complete replies use the same class, so that both are judged alike. Pure text; knows no
model and no verdict.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_FIRST_SIZES = (4, 8, 16)
"""Number of tokens in each of the first windows, unless a full window is shorter."""

_OVERLAP = 8
"""Number of tokens before a window that are judged with it, so that text across the boundary is judged in one piece."""

_NEARLY = 0.75
"""Share of a window after which a reply is judged along with others. A lower share means more texts, a higher share
means more passes of the head."""

_LETTERS_PER_TOKEN = 3
"""Minimum letters for each token of plain text, averaged over a window."""

_MOST_SPREAD = 8
"""Maximum factor by which a window is extended if its tokens have fewer letters."""

_WIDE = (("\u2e80", "\ua4cf"), ("\uac00", "\ud7ff"), ("\uf900", "\ufaff"), ("\U00020000", "\U0003ffff"))
"""Scripts in which one character counts as several letters."""


def count_letters(piece: str) -> int:
    """Count the letters and digits of a text; a character of a script with thousands of signs counts as several."""
    return sum(_LETTERS_PER_TOKEN if _is_wide(char) else 1 for char in piece if char.isalnum())


def _is_wide(char: str) -> bool:
    return char >= "\u2e80" and any(first <= char <= last for first, last in _WIDE)


@dataclass(slots=True)
class ReplyWindows:
    """The windows of one reply that arrives token by token.

    Args:
        size: tokens of a full window.
    """

    size: int
    """Tokens of a full window."""

    unjudged_tokens: int = 0
    """Tokens since the last judgement."""

    _judged: int = 0
    """Number of judgements so far."""

    _recent: deque[tuple[str, int]] = field(default_factory=deque)
    """The last pieces, each with its number of letters."""

    _held: deque[tuple[str, int]] = field(default_factory=deque)
    """Pieces that have not been released."""

    _letters: int = 0
    """Number of letters in ``_held``."""

    def __post_init__(self) -> None:
        self._recent = deque(maxlen=_MOST_SPREAD * (self.size + _OVERLAP))

    def push(self, piece: str) -> None:
        """Append the text of the next token, which may be empty."""
        entry = piece, count_letters(piece)
        self._recent.append(entry)
        self._held.append(entry)
        self._letters += entry[1]
        self.unjudged_tokens += 1

    @property
    def full(self) -> bool:
        """Whether the reply must be judged now."""
        return self.unjudged_tokens >= self._get_size(self._judged)

    @property
    def nearly_full(self) -> bool:
        """Whether the reply may be judged along with others."""
        return self.unjudged_tokens >= _NEARLY * self._get_size(self._judged)

    def get_text(self) -> str:
        """Return the text to judge now: everything since the last judgement, and the overlap before it."""
        pieces: list[str] = []
        letters, least = 0, self.size + _OVERLAP
        for piece, count in reversed(self._recent):
            if len(pieces) >= least and letters >= _LETTERS_PER_TOKEN * least:
                break
            pieces.append(piece)
            letters += count
        return "".join(reversed(pieces))

    def mark_judged(self) -> None:
        """Record that :meth:`get_text` was judged and may be sent."""
        self.unjudged_tokens = 0
        self._judged += 1

    def release(self) -> str:
        """Return the text that may be sent now: the judged text except for the last window."""
        if not self._judged:
            return ""
        lag = self._get_size(self._judged - 1)
        pieces: list[str] = []
        while len(self._held) > max(self.unjudged_tokens, lag):
            piece, letters = self._held[0]
            left = self._letters - letters
            if left < _LETTERS_PER_TOKEN * lag and len(self._held) <= _MOST_SPREAD * lag:
                break
            self._held.popleft()
            self._letters = left
            pieces.append(piece)
        return "".join(pieces)

    def release_all(self) -> str:
        """Return the remaining text, once the reply has ended and was judged."""
        text = "".join(piece for piece, _ in self._held)
        self.discard()
        return text

    def discard(self) -> None:
        """Discard the text that has not been released."""
        self._held.clear()
        self._letters = 0

    def _get_size(self, number: int) -> int:
        """Return the number of tokens in the window with this number."""
        return min(self.size, _FIRST_SIZES[number]) if number < len(_FIRST_SIZES) else self.size


def split_windows(pieces: Iterable[str], size: int) -> Iterator[str]:
    """Yield the texts of a complete reply to judge, the same that :class:`ReplyWindows` produces during generation.

    Args:
        pieces: the reply, token by token.
        size: tokens of a full window.
    """
    windows = ReplyWindows(size)
    for piece in pieces:
        windows.push(piece)
        if windows.full:
            yield windows.get_text()
            windows.mark_judged()
    if windows.unjudged_tokens:
        yield windows.get_text()
