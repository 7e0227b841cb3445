"""Judges texts that are longer than the guard reads at once in overlapping windows.

The guard judges at most ``max_prompt_tokens`` tokens together. Longer conversations are split into windows of that
size, and the most severe verdict of all windows is the verdict. A window with more tokens than estimated is halved.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.errors import DeadlineError, PromptError
from safety_core.inputs.conversation import Turn
from safety_core.policy.policy import Decision, Verdict
from service.api.text_splitting import MAX_TEXTS, split_into_windows
from service.endpoints import Endpoint
from service.pipeline import Assess
from service.settings import Settings

LEAST_CHARACTERS = 32
"""Minimum characters that a text counts for, because even a short text is also judged by itself."""


_OVERLAP_SHARE = 8
"""A window starts with the last 1/8 of the previous window."""

_MAX_CONCURRENT = 4
"""Maximum windows of one request in the queue: one long conversation must not fill it."""

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


def create_window_limits(endpoint: Endpoint, settings: Settings) -> WindowLimits:
    """Create the limits of an endpoint."""
    return WindowLimits(
        max_prompt_tokens=endpoint.get_limit("prompt_tokens", settings),
        max_judged_characters=endpoint.get_limit("judged_characters", settings),
        verdict_timeout_s=settings.verdict_timeout_s,
    )


class TooLongError(PromptError):
    """All texts together exceed the operator's limit."""


def check_length(texts: Iterable[str], limits: WindowLimits) -> None:
    """Raise TooLongError if texts are too long even for windows."""
    if sum(max(len(text), LEAST_CHARACTERS) for text in texts) > limits.max_judged_characters:
        raise TooLongError(
            f"The texts are too long to be judged: the maximum is {limits.max_judged_characters} characters in total.",
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
    """Judge a request of any length up to the limits, with all its images beside every window.

    Args:
        assess: judges one request that is short enough.
        request: the request.
        limits: bounds.
        together: texts that are also judged without the texts between them if there are several windows: the users'
            texts, which long answers could otherwise separate into different windows.
        deadline: latest time of the verdict, by ``time.monotonic``.

    Raises:
        TooLongError: there is too much text.
        DeadlineError: the windows were not judged in time.
        SafeVLMError: as ``assess``.
    """
    texts = _list_texts(request.turns)
    check_length(texts, limits)
    timeout_s = limits.verdict_timeout_s if deadline is None else max(0.0, deadline - time.monotonic())
    try:
        async with asyncio.timeout(timeout_s):
            if len(texts) <= MAX_TEXTS and sum(map(len, texts)) <= _MAX_CHARACTERS_PER_TOKEN * limits.max_prompt_tokens:
                verdict = await _assess_whole(assess, request)  # estimates are high: the guard itself counts tokens
                if verdict is not None:
                    return verdict
            windows = _create_windows(texts, together, limits.max_prompt_tokens)
            return await _assess_windows(assess, request, windows, limits.max_prompt_tokens)
    except TimeoutError as exc:
        raise DeadlineError("the windows of a long text were not judged in time") from exc


def _create_windows(texts: Sequence[str], together: Sequence[str], max_tokens: int) -> list[list[str]]:
    overlap = max_tokens // _OVERLAP_SHARE
    windows = split_into_windows(texts, max_tokens, overlap)
    if len(windows) > 1 and list(together) != list(texts):
        windows += [window for window in split_into_windows(together, max_tokens, overlap) if window not in windows]
    return windows


async def _assess_windows(
    assess: Assess, request: GuardRequest, windows: Sequence[Sequence[str]], max_tokens: int
) -> GuardVerdict:
    verdicts: list[GuardVerdict] = []
    for start in range(0, len(windows), _MAX_CONCURRENT):
        batch = windows[start : start + _MAX_CONCURRENT]
        verdicts += await asyncio.gather(*(_assess_window(assess, request, window, max_tokens) for window in batch))
        if _is_final(verdicts):
            break
    return _merge_verdicts(verdicts)


async def _assess_window(assess: Assess, request: GuardRequest, texts: Sequence[str], max_tokens: int) -> GuardVerdict:
    turns = tuple(Turn(role="user", text=text) for text in texts)
    verdict = await _assess_whole(assess, replace(request, turns=turns))
    if verdict is not None:
        return verdict
    if max_tokens < 2 * _MIN_WINDOW:
        raise PromptError(
            "A text has too many tokens for its length and cannot be judged.", code="prompt_too_long", param="prompt"
        )
    verdicts = [
        await _assess_window(assess, request, half, max_tokens // 2)
        for half in split_into_windows(texts, max_tokens // 2, max_tokens // 2 // _OVERLAP_SHARE)
    ]
    return _merge_verdicts(verdicts)


async def _assess_whole(assess: Assess, request: GuardRequest) -> GuardVerdict | None:
    """Judge a request as a whole; None if it has more tokens than the guard reads at once."""
    try:
        return await assess(request)
    except PromptError as exc:
        if exc.code != "prompt_too_long":
            raise
        return None


def _list_texts(turns: Sequence[Turn]) -> list[str]:
    return [text for turn in turns for text in (turn.parts or (turn.text,))]


def _is_final(verdicts: Sequence[GuardVerdict]) -> bool:
    """Return whether no further window can change the decision or a decision of a policy in shadow mode."""
    worst = _merge_verdicts(verdicts)
    return worst.verdict.decision is Decision.REFUSED and not worst.others


def _merge_verdicts(verdicts: Sequence[GuardVerdict]) -> GuardVerdict:
    """Merge the verdicts of all windows: the most severe verdict, also for each policy in shadow mode."""
    worst = max(verdicts, key=lambda verdict: (verdict.assessment is None, verdict.verdict.severity_key))
    others: dict[str, Verdict] = {}
    for verdict in verdicts:
        for name, other in verdict.others.items():
            known = others.get(name)
            others[name] = other if known is None or other.severity_key > known.severity_key else known
    return replace(
        worst,
        others=others,
        prepare_ms=sum(verdict.prepare_ms for verdict in verdicts),
        queue_ms=max(verdict.queue_ms for verdict in verdicts),
        guard_ms=sum(verdict.guard_ms for verdict in verdicts),
    )
