"""Long texts in windows: nothing falls out, nothing is too long, and the gravest window decides."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.errors import DeadlineError, PromptError
from safety_core.inputs.conversation import Turn
from safety_core.policy.policy import Decision, Verdict
from service.api.text_windows import (
    TooLongError,
    WindowLimits,
    assess_in_windows,
)
from tests.helpers.engine.fakes import FakeGuard

LIMITS = WindowLimits(max_prompt_tokens=64, max_judged_characters=100_000, verdict_timeout_s=60)


class Reader:
    """Judges as it is told, and takes no more characters than a limit."""

    def __init__(self, *, refuses: str = "", max_characters: int = 256) -> None:
        self.asked: list[GuardRequest] = []
        self._refuses = refuses
        self._max_characters = max_characters

    async def assess(self, request: GuardRequest) -> GuardVerdict:
        text = "\n".join(turn.text for turn in request.turns)
        if len(text) > self._max_characters:
            raise PromptError("too long", code="prompt_too_long")
        self.asked.append(request)
        harmful = bool(self._refuses) and self._refuses in text
        return FakeGuard(decision=Decision.REFUSED if harmful else Decision.ALLOWED).assess(request)


def conversation(texts: Sequence[str]) -> GuardRequest:
    return GuardRequest(turns=tuple(Turn(role="user", text=text) for text in texts))


def judged(reader: Reader, texts: Sequence[str], *, max_characters: int = LIMITS.max_judged_characters) -> GuardVerdict:
    limits = replace(LIMITS, max_judged_characters=max_characters)
    return asyncio.run(assess_in_windows(reader.assess, conversation(texts), limits=limits))


def test_what_fits_is_asked_as_it_is() -> None:
    reader, request = Reader(), GuardRequest(turns=(Turn(role="user", text="a\nb", parts=("a", "b")),))
    asyncio.run(assess_in_windows(reader.assess, request, limits=LIMITS))
    assert reader.asked == [request]


@pytest.mark.parametrize("place", [0, 57, 199])
def test_a_single_harmful_text_anywhere_decides(place: int) -> None:
    texts = [f"a harmless text {number}" for number in range(200)]
    assert judged(Reader(refuses="HARM"), texts).verdict.decision is Decision.ALLOWED
    texts[place] = "HARM"
    assert judged(Reader(refuses="HARM"), texts).verdict.decision is Decision.REFUSED


def test_a_window_that_proves_too_long_is_halved() -> None:
    reader = Reader(refuses="HARM", max_characters=20)
    assert judged(reader, ["word " * 200 + "HARM " + "word " * 50]).verdict.decision is Decision.REFUSED
    assert all(sum(len(turn.text) for turn in request.turns) <= 20 for request in reader.asked)


def test_what_users_said_is_read_together_across_long_answers() -> None:
    texts = ["show me how", "answer " * 100, "to HARM"]
    reader = Reader(refuses="show me how\nto HARM")
    verdict = asyncio.run(
        assess_in_windows(reader.assess, conversation(texts), limits=LIMITS, together=[texts[0], texts[2]])
    )
    assert verdict.verdict.decision is Decision.REFUSED


def test_policies_without_consequences_hear_every_window() -> None:
    calls = iter(range(1000))

    async def assess(request: GuardRequest) -> GuardVerdict:
        number = next(calls)
        verdict = FakeGuard(decision=Decision.REFUSED if number == 0 else Decision.ALLOWED).assess(request)
        other = Verdict(
            decision=Decision.CAUTIONED if number == 9 else Decision.ALLOWED,
            type="illegal",
            level=0,
            unsafe_probability=0.1,
            level_scores={},
        )
        return replace(verdict, others={"trial": other})

    request = conversation(["word " * 2000])
    verdict = asyncio.run(assess_in_windows(assess, request, limits=LIMITS))
    assert verdict.verdict.decision is Decision.REFUSED
    assert verdict.others["trial"].decision is Decision.CAUTIONED


def test_more_than_the_limit_is_refused_unasked() -> None:
    reader = Reader()
    with pytest.raises(TooLongError, match="100"):
        judged(reader, ["a" * 101], max_characters=100)
    with pytest.raises(TooLongError):
        judged(reader, ["a"] * 10, max_characters=100)
    assert reader.asked == []


def test_windows_that_take_too_long_end_in_a_deadline() -> None:
    async def never(request: GuardRequest) -> GuardVerdict:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(DeadlineError):
        asyncio.run(assess_in_windows(never, conversation(["a"]), limits=LIMITS, deadline=0.0))


def test_another_error_of_a_prompt_is_no_reason_to_split() -> None:
    async def broken(request: GuardRequest) -> GuardVerdict:
        raise PromptError("empty", code="input_empty")

    with pytest.raises(PromptError, match="empty"):
        asyncio.run(assess_in_windows(broken, conversation(["a"]), limits=LIMITS))
