"""Joins adjacent turns of a conversation to windows, which are judged as one text.

A request may be cut into several turns.
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
"""Windows of adjacent turns that are judged as one text: half this number from all turns, half from all turns except
fillers, and a quarter each from the user's and the assistant's turns. With 32 messages, these include every window of
up to five turns."""

MAX_FOLDED_WINDOWS = 64
"""Number of windows that are searched for disguises as a whole; in other windows, each turn is searched separately."""

MAX_WINDOW = 8
"""Maximum turns of a window."""

MAX_WINDOW_CHARACTERS = 96
"""Maximum characters of a window, as in a request cut into turns. Longer windows are chats, which are judged as a
whole."""

_MAX_LOOSE_CHARACTERS = 256
"""Characters up to which all turns form one text if any turn may continue in the next. In a longer text, which is
rarely a request in pieces, a capital letter starts a sentence."""

_NEARBY = 48
"""Characters at the end or the beginning of a longer turn that are joined with adjacent turns."""


def list_turn_windows(turns: Sequence[Turn], limit: int) -> list[str]:
    """List all turns as one text, if any continues in the next, and about ``limit`` shorter windows of turns."""
    everything = [text for turn in turns for text in (turn.parts or (turn.text,))]
    user_texts = [text for turn in turns if turn.role == "user" for text in (turn.parts or (turn.text,))]
    assistant_texts = [turn.text for turn in turns[:-1] if turn.role == "assistant"]
    windows = [joined] if _may_be_one_text(everything, joined := " ".join(everything)) else []
    windows += [*_join_neighbours(everything, limit // 2), *_join_neighbours(user_texts, limit // 4)]
    windows += _join_neighbours([*assistant_texts, turns[-1].text], limit // 4)
    return [*windows, *_join_neighbours([text for text in everything if not is_filler(text)], limit // 2)]


def has_only_whole_questions(turns: Sequence[Turn]) -> bool:
    """Whether there are several turns of the user, each of which is a whole question or request, a greeting or thanks.

    Such turns are judged separately, because their concatenation is not a request of the user.
    """
    user_texts = [text for turn in turns if turn.role == "user" for text in (turn.parts or (turn.text,))]
    return len(user_texts) > 1 and all(map(is_complete, user_texts))


def _may_be_one_text(texts: Sequence[str], joined: str) -> bool:
    """Whether all turns may be pieces of one text: a turn continues in the next; in long texts, not with a capital."""
    non_blank = [text for text in texts if text.strip()]
    loose = len(joined) <= _MAX_LOOSE_CHARACTERS
    return any(
        may_continue(text, following) and (loose or is_unfinished(text) or not following.lstrip()[:1].isupper())
        for text, following in pairwise(non_blank)
    )


def _join_neighbours(texts: Sequence[str], limit: int) -> list[str]:
    """Join adjacent texts to at most ``limit`` windows: short windows before long ones, late windows before early ones.

    A window begins with the end of its first text and ends with the beginning of its last text.
    """
    non_blank = [text for text in (" ".join(text.split()) for text in texts) if text]
    runs_on = list(starmap(may_continue, pairwise(non_blank)))
    windows: dict[str, None] = {}
    for size in range(2, min(len(non_blank), MAX_WINDOW) + 1):
        for start in range(len(non_blank) - size, -1, -1):
            if not any(runs_on[start : start + size - 1]):
                continue
            first, *middle, last = non_blank[start : start + size]
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
