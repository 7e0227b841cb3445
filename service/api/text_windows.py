"""Judges texts that are longer than the guard reads at once in overlapping windows.

The guard judges at most ``max_prompt_tokens`` tokens together. Longer conversations are cut into windows of that
size; each starts with the end of the one before, so that text across a boundary is read in one piece. The verdict on
the whole is the most severe verdict of all windows. Tokens are estimated from characters, because the service has no
tokenizer; a window that proves too long is halved.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.errors import DeadlineError, PromptError
from safety_core.inputs.prompts import Turn
from safety_core.policy.policy import Decision, Verdict
from service.pipeline import Assess
from service.settings import Settings

MAX_TEXTS = 64
"""Texts in one window: each is also judged by itself, so this bounds the work for one window."""

TEXT_OVERHEAD = 2
"""Estimated tokens that separate a text from the next one."""

LEAST_CHARACTERS = 32
"""Minimum characters that a text counts for, because a short one is also judged by itself."""

_TAIL_TEXTS = 8
"""Most texts that a window repeats from the one before."""

_OVERLAP_SHARE = 8
"""A window starts with the last 1/8 of the one before."""

_AT_A_TIME = 4
"""Windows of one request that are judged at a time: one long conversation must not fill the queue."""

_MAX_CHARACTERS_PER_TOKEN = 8
"""A text with more characters per allowed token is split without trying to judge it as a whole."""

_MIN_WINDOW = 4
"""Tokens of the smallest window; a request that does not fit even then is rejected as too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLimits:
    """Bounds on judging in windows."""

    max_prompt_tokens: int
    """Tokens of one window."""

    max_judged_characters: int
    """Characters of all texts together; each counts for at least ``LEAST_CHARACTERS``."""

    verdict_timeout_s: float
    """Seconds for all windows together, if the request has no deadline."""


def create_window_limits(settings: Settings) -> WindowLimits:
    """Create the limits that the settings select."""
    return WindowLimits(
        max_prompt_tokens=settings.max_prompt_tokens,
        max_judged_characters=settings.max_judged_characters,
        verdict_timeout_s=settings.verdict_timeout_s,
    )


class TooLongError(PromptError):
    """All texts together exceed the operator's limit."""


def estimate_tokens(text: str) -> int:
    """Estimated tokens of a text, rather too high: one for two ASCII characters or for one byte of others."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return -(-ascii_count // 2) + len(text.encode("utf-8", "replace")) - ascii_count


def split_into_windows(
    texts: Sequence[str],
    max_tokens: int,
    overlap: int,
    *,
    max_texts: int = MAX_TEXTS,
    count: Callable[[str], int] = estimate_tokens,
) -> list[list[str]]:
    """Split texts into windows, in order; every character of every text is in at least one.

    Args:
        texts: what is to be judged.
        max_tokens: most tokens of a window, separators included.
        overlap: tokens at the end of a window that the next one begins with; less than half of ``max_tokens``.
        max_texts: most texts of a window.
        count: tokens of a text; must grow with the text.

    Raises:
        ValueError: ``overlap`` is too large.
    """
    if not 0 <= overlap <= max_tokens // 2:
        raise ValueError("the overlap must be at most half of a window")
    room = max(1, max_tokens - overlap - 2 * TEXT_OVERHEAD)  # what follows the overlap
    windows: list[list[str]] = []
    window: list[str] = []
    used, fresh = 0, False
    for text in texts:
        for piece in _pieces(text, room, overlap, count):
            cost = count(piece) + TEXT_OVERHEAD
            if window and (used + cost > max_tokens or len(window) >= max_texts):
                if fresh:
                    windows.append(window)
                window = _tail(window, overlap, min(_TAIL_TEXTS, max_texts // 2), count)
                used = sum(count(one) + TEXT_OVERHEAD for one in window)
            window.append(piece)
            used += cost
            fresh = True
    if fresh:
        windows.append(window)
    return windows


def _tail(window: Sequence[str], overlap: int, max_texts: int, count: Callable[[str], int]) -> list[str]:
    """The last texts of a window, and as much of the text before them as fits."""
    kept: list[str] = []
    left = overlap
    for text in reversed(window):
        if len(kept) >= max_texts:
            break
        cost = count(text) + TEXT_OVERHEAD
        if cost <= left:
            kept.insert(0, text)
            left -= cost
            continue
        end = _last(text, left - TEXT_OVERHEAD, count)
        if end:
            kept.insert(0, end)
        break
    return kept


def _pieces(text: str, max_tokens: int, overlap: int, count: Callable[[str], int]) -> Iterable[str]:
    """Cut a text into pieces of limited tokens, between words if possible."""
    if count(text) <= max_tokens:
        yield text
        return
    start = 0
    while start < len(text):
        end = start + _prefix(text[start : start + 4 * max_tokens], max_tokens, count)
        if end < len(text):
            space = max(text.rfind(mark, start + (end - start) // 2, end) for mark in (" ", "\n"))
            end = space + 1 if space > start else end
        yield text[start:end]
        if end >= len(text):
            return
        # The next piece repeats the last words of this one, but always begins behind its first half.
        again = len(_last(text[start:end], min(overlap, max_tokens // 2), count))
        start = max(end - again, start + (end - start) // 2, start + 1)


def _prefix(text: str, max_tokens: int, count: Callable[[str], int]) -> int:
    """Characters of a text that have at most this number of tokens; at least one."""
    low, high = 1, max(1, len(text))
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:middle]) <= max_tokens:
            low = middle
        else:
            high = middle - 1
    return low


def _last(text: str, max_tokens: int, count: Callable[[str], int]) -> str:
    """The end of a text with at most this number of tokens, from the beginning of a word if possible."""
    if max_tokens <= 0:
        return ""
    text = text[-4 * max_tokens :]
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[len(text) - middle :]) <= max_tokens:
            low = middle
        else:
            high = middle - 1
    end = text[len(text) - low :]
    if low < len(text):
        _, space, words = end.partition(" ")
        end = words if space and words else end
    return end


def check_length(texts: Iterable[str], limits: WindowLimits) -> None:
    """Raise TooLongError if texts are too long even for windows."""
    if sum(max(len(text), LEAST_CHARACTERS) for text in texts) > limits.max_judged_characters:
        raise TooLongError(
            f"The texts have more than {limits.max_judged_characters} characters in total, "
            "which is too long to be judged.",
            code="prompt_too_long",
            param="prompt",
        )


async def assess_in_windows(
    assess: Assess,
    request: GuardRequest,
    *,
    limits: WindowLimits,
    together: Sequence[str] = (),
    deadline: float | None = None,
) -> GuardVerdict:
    """A verdict on a request of any length up to the limits, with all its pictures shown beside every window.

    Args:
        assess: judges one request that is short enough.
        request: the request.
        limits: bounds.
        together: texts that are also read without the others between them if there are several windows: the users'
            texts, which long answers could otherwise separate into different windows.
        deadline: latest time of the verdict, by ``time.monotonic``.

    Raises:
        TooLongError: there is too much text.
        DeadlineError: the windows were not judged in time.
        SafeVLMError: as ``assess``.
    """
    texts = _texts_of(request.turns)
    check_length(texts, limits)
    timeout_s = limits.verdict_timeout_s if deadline is None else max(0.0, deadline - time.monotonic())
    try:
        async with asyncio.timeout(timeout_s):
            if len(texts) <= MAX_TEXTS and sum(map(len, texts)) <= _MAX_CHARACTERS_PER_TOKEN * limits.max_prompt_tokens:
                verdict = await _assessed_whole(assess, request)  # estimates are high: the guard itself counts tokens
                if verdict is not None:
                    return verdict
            windows = _windows_of(texts, together, limits.max_prompt_tokens)
            return await _assessed(assess, request, windows, limits.max_prompt_tokens)
    except TimeoutError as exc:
        raise DeadlineError("the windows of a long text were not judged in time") from exc


def _windows_of(texts: Sequence[str], together: Sequence[str], max_tokens: int) -> list[list[str]]:
    overlap = max_tokens // _OVERLAP_SHARE
    windows = split_into_windows(texts, max_tokens, overlap)
    if len(windows) > 1 and list(together) != list(texts):
        windows += [one for one in split_into_windows(together, max_tokens, overlap) if one not in windows]
    return windows


async def _assessed(
    assess: Assess, request: GuardRequest, windows: Sequence[Sequence[str]], max_tokens: int
) -> GuardVerdict:
    found: list[GuardVerdict] = []
    for start in range(0, len(windows), _AT_A_TIME):
        some = windows[start : start + _AT_A_TIME]
        found += await asyncio.gather(*(_assessed_window(assess, request, one, max_tokens) for one in some))
        if _is_final(found):
            break
    return _worst(found)


async def _assessed_window(
    assess: Assess, request: GuardRequest, texts: Sequence[str], max_tokens: int
) -> GuardVerdict:
    turns = tuple(Turn(role="user", text=text) for text in texts)
    verdict = await _assessed_whole(assess, replace(request, turns=turns))
    if verdict is not None:
        return verdict
    if max_tokens < 2 * _MIN_WINDOW:
        raise PromptError(
            "A text has too many tokens for its length and cannot be judged.", code="prompt_too_long", param="prompt"
        )
    found = [
        await _assessed_window(assess, request, one, max_tokens // 2)
        for one in split_into_windows(texts, max_tokens // 2, max_tokens // 2 // _OVERLAP_SHARE)
    ]
    return _worst(found)


async def _assessed_whole(assess: Assess, request: GuardRequest) -> GuardVerdict | None:
    """The verdict, or None if the request has more tokens than the guard reads at once."""
    try:
        return await assess(request)
    except PromptError as exc:
        if exc.code != "prompt_too_long":
            raise
        return None


def _texts_of(turns: Sequence[Turn]) -> list[str]:
    return [text for turn in turns for text in (turn.parts or (turn.text,))]


def _is_final(found: Sequence[GuardVerdict]) -> bool:
    """Whether no further window can change the decision, nor those of policies without consequences."""
    worst = _worst(found)
    return worst.verdict.decision is Decision.REFUSED and not worst.others


def _worst(found: Sequence[GuardVerdict]) -> GuardVerdict:
    """One verdict for all windows: the most severe, and the most severe of each policy without consequences."""
    worst = max(found, key=lambda one: (one.assessment is None, one.verdict.severity_key))
    others: dict[str, Verdict] = {}
    for one in found:
        for name, other in one.others.items():
            known = others.get(name)
            others[name] = other if known is None or other.severity_key > known.severity_key else known
    return replace(
        worst,
        others=others,
        prepare_ms=sum(one.prepare_ms for one in found),
        queue_ms=max(one.queue_ms for one in found),
        guard_ms=sum(one.guard_ms for one in found),
    )
