"""Where a reply ends because the client said so: at the first of its stop strings, which stays out of the reply.

A stop string may come in several pieces, so what could be the beginning of one is held back until it is certain.
Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Watches one reply.

    Args:
        strings: what ends it; empty ones are ignored.
    """

    def __init__(self, strings: Sequence[str] = ()) -> None:
        self._strings = [string for string in strings if string]
        self._held = ""
        self._met = False

    @property
    def met(self) -> bool:
        """Whether a stop string came: nothing more may be said."""
        return self._met

    def push(self, piece: str) -> str:
        """What of the text so far is certain to be part of the reply."""
        if self._met or not self._strings:
            return "" if self._met else piece
        text = self._held + piece
        ends = [end for end in map(text.find, self._strings) if end >= 0]
        if ends:
            self._met, self._held = True, ""
            return text[: min(ends)]
        kept = len(text) - self._open_end(text)
        self._held = text[kept:]
        return text[:kept]

    def finish(self) -> str:
        """What was held back, once nothing follows."""
        held, self._held = self._held, ""
        return held

    def _open_end(self, text: str) -> int:
        """Length of the longest end of ``text`` that a stop string could begin with."""
        longest = min(len(text), max(map(len, self._strings)) - 1)
        for length in range(longest, 0, -1):
            if any(string.startswith(text[-length:]) for string in self._strings):
                return length
        return 0
