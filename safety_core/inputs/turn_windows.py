"""Joins neighbouring turns of a conversation to windows that are judged as one text, because a request may be cut into
several turns.
"""

from collections.abc import Sequence
from itertools import pairwise, starmap

from safety_core.inputs.conversation import Turn
from safety_core.inputs.text.sentence_completeness import (
    is_complete,
    is_filler,
    is_unfinished,
    may_continue,
    strip_end_marks,
)

MAX_WINDOWS = 256
"""Windows of neighbouring turns that are judged as one text: half as many of all turns, as many of all but fillers, and
a quarter each of the user's turns and of the assistant's. Of a conversation of 32 messages, these include every window
of up to five turns."""

MAX_FOLDED_WINDOWS = 64
"""Windows that are searched for disguises as a whole; in the others each turn is searched separately."""

MAX_WINDOW = 8
"""Turns of a window."""

MAX_WINDOW_CHARACTERS = 96
"""Characters of a window, as in a request cut into turns. Longer windows are chats, which are judged as a whole."""

_MAX_LOOSE_CHARACTERS = 256
"""Characters up to which all turns form one text if any of them may continue in the next. In a longer text, which is
rarely a request in pieces, a capital letter starts a sentence."""

_NEARBY = 48
"""Characters at the end or the beginning of a longer turn that are joined with its neighbours."""


def list_turn_windows(turns: Sequence[Turn], limit: int) -> list[str]:
    """List all turns as one text, if any continues in the next, and about ``limit`` shorter windows of neighbours."""
    everything = [text for turn in turns for text in (turn.parts or (turn.text,))]
    asked = [text for turn in turns if turn.role == "user" for text in (turn.parts or (turn.text,))]
    answered = [turn.text for turn in turns[:-1] if turn.role == "assistant"]
    windows = [whole] if _may_be_one_text(everything, whole := " ".join(everything)) else []
    windows += [*_join_neighbours(everything, limit // 2), *_join_neighbours(asked, limit // 4)]
    windows += _join_neighbours([*answered, turns[-1].text], limit // 4)
    return [*windows, *_join_neighbours([text for text in everything if not is_filler(text)], limit // 2)]


def has_only_whole_questions(turns: Sequence[Turn]) -> bool:
    """Whether the user speaks several times, and each time asks one whole question or request, or greets or thanks.

    Such turns joined are nothing that the user asked; each of them is judged alone.
    """
    asked = [text for turn in turns if turn.role == "user" for text in (turn.parts or (turn.text,))]
    return len(asked) > 1 and all(map(is_complete, asked))


def _may_be_one_text(texts: Sequence[str], whole: str) -> bool:
    """Whether all turns may be one text cut into pieces: one continues in the next; in long texts, no capital."""
    said = [text for text in texts if text.strip()]
    loose = len(whole) <= _MAX_LOOSE_CHARACTERS
    return any(
        may_continue(text, following) and (loose or is_unfinished(text) or not following.lstrip()[:1].isupper())
        for text, following in pairwise(said)
    )


def _join_neighbours(texts: Sequence[str], limit: int) -> list[str]:
    """Join neighbouring texts to at most ``limit`` windows: short ones before long ones, late ones before early ones.

    A window begins with the end of its first text and ends with the beginning of its last one.
    """
    said = [text for text in (" ".join(text.split()) for text in texts) if text]
    runs_on = list(starmap(may_continue, pairwise(said)))
    windows: dict[str, None] = {}
    for size in range(2, min(len(said), MAX_WINDOW) + 1):
        for start in range(len(said) - size, -1, -1):
            if not any(runs_on[start : start + size - 1]):
                continue
            first, *middle, last = said[start : start + size]
            window = " ".join((*map(strip_end_marks, (_cut_tail(first), *middle)), _cut_head(last)))
            if len(window) <= MAX_WINDOW_CHARACTERS:
                windows[window] = None
            if len(windows) >= limit:
                return list(windows)
    return list(windows)


def _cut_tail(text: str) -> str:
    """Cut the end of a text, from the beginning of a word."""
    return text if len(text) <= _NEARBY else text[-_NEARBY:].partition(" ")[2]


def _cut_head(text: str) -> str:
    """Cut the beginning of a text, to the end of a word."""
    return text if len(text) <= _NEARBY else text[:_NEARBY].rpartition(" ")[0]
