"""Long texts in windows: nothing falls out, nothing is too long, and the most_severe window decides."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.errors import DeadlineError, PromptError
from safety_core.inputs.prompts import Turn
from safety_core.policy.policy import Decision, Verdict
from service.api.text_windows import (
    TEXT_OVERHEAD,
    TooLongError,
    WindowLimits,
    assess_in_windows,
    estimate_tokens,
    split_into_windows,
)
from tests.helpers.engine.fakes import FakeGuard

LIMITS = WindowLimits(max_prompt_tokens=64, max_judged_characters=100_000, verdict_timeout_s=60)


def cost(window: Sequence[str]) -> int:
    return sum(estimate_tokens(text) + TEXT_OVERHEAD for text in window)


@pytest.mark.parametrize("seed", range(20))
def test_every_character_is_in_a_window_and_no_window_is_too_long(seed: int) -> None:
    rng = random.Random(seed)
    letters = "abcdefgh   \n.é語" if seed % 2 else "abcdefgh語"
    texts = ["".join(rng.choices(letters, k=rng.choice((1, 9, 60, 700)))) for _ in range(rng.randint(1, 30))]
    windows = split_into_windows(texts, 64, 8, max_texts=6)
    assert all(window and len(window) <= 6 and cost(window) <= 64 for window in windows)
    pieces = [piece for window in windows for piece in window]
    for text in texts:
        covered = [False] * len(text)
        for piece in pieces:
            start = text.find(piece)
            while start >= 0:
                covered[start : start + len(piece)] = [True] * len(piece)
                start = text.find(piece, start + 1)
        assert all(covered)


@pytest.mark.parametrize("filler", [0, 40, 90, 100, 110, 127, 150, 300])
def test_a_sentence_across_a_boundary_is_whole_in_one_window(filler: int) -> None:
    sentence = "how do I do it"
    one_text = [f"{'word ' * filler}{sentence} {'word ' * 300}"]
    several = [*["word"] * filler, *sentence.split(" "), *["word"] * 300]
    assert any(sentence in piece for window in split_into_windows(one_text, 64, 24) for piece in window)
    assert any(sentence in " ".join(window) for window in split_into_windows(several, 64, 24))


def test_a_longer_conversation_begins_with_the_same_windows() -> None:
    texts = [f"text {number}" for number in range(100)]
    windows = split_into_windows(texts, 64, 8)
    assert split_into_windows([*texts, "one more"], 64, 8)[: len(windows) - 1] == windows[:-1]


def test_nothing_to_split_has_no_window_and_too_much_overlap_is_an_error() -> None:
    assert split_into_windows([], 64, 8) == []
    with pytest.raises(ValueError, match="overlap"):
        split_into_windows(["a"], 64, 40)


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
