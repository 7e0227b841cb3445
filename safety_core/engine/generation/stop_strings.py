"""Ends a reply at the first of the client's stop strings, which the reply does not contain.

A stop string may arrive in several pieces, so text that could begin a stop string is withheld until this is certain.
Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Finds stop strings in one reply that arrives in pieces.

    Args:
        strings: the stop strings; empty strings are ignored.
    """

    def __init__(self, strings: Sequence[str] = ()) -> None:
        self._strings = [string for string in strings if string]
        self._held = ""
        self._met = False

    @property
    def met(self) -> bool:
        """Whether a stop string was found: the reply has ended."""
        return self._met

    def push(self, piece: str) -> str:
        """Append a piece; returns the text that is now certain to be part of the reply."""
        if self._met or not self._strings:
            return "" if self._met else piece
        text = self._held + piece
        ends = [end for end in map(text.find, self._strings) if end >= 0]
        if ends:
            self._met, self._held = True, ""
            return text[: min(ends)]
        length = len(text) - self._measure_open_end(text)
        self._held = text[length:]
        return text[:length]

    def finish(self) -> str:
        """Return the withheld text, once the reply has ended."""
        held, self._held = self._held, ""
        return held

    def _measure_open_end(self, text: str) -> int:
        """Return the length of the longest end of ``text`` that is the beginning of a stop string."""
        longest = min(len(text), max(map(len, self._strings)) - 1)
        for length in range(longest, 0, -1):
            if any(string.startswith(text[-length:]) for string in self._strings):
                return length
        return 0
