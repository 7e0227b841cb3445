"""The output rail with a generator that says what it is told to: what gets out, when, and what never does."""

from collections.abc import Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from safety_core.engine.generation.output_rail import RailedGenerator, RailedSequence, ReplyDecision
from safety_core.errors import GenerationError
from tests.helpers.engine.scripted_generator import ScriptedGenerator, judge_by_words


def job(words: Sequence[str], policy: ReplyDecision = ReplyDecision.CUT) -> Any:
    """A reply of some words, those of a single letter three times as long: tokens as plain text has them."""
    return SimpleNamespace(words=list(map(token, words)), policy=policy)


def token(word: str) -> str:
    return 3 * word if len(word) == 1 else word


def text_of(words: Sequence[str]) -> str:
    return "".join(map(token, words))


def told(
    words: Sequence[str], window: int = 3, policy: ReplyDecision = ReplyDecision.CUT
) -> tuple[list[str], RailedSequence, ScriptedGenerator]:
    teller = ScriptedGenerator()
    rail = RailedGenerator(teller, judge_by_words, window=window)
    row = rail.create_sequence(job(words, policy))
    pieces = [rail.admit([row])[0].text]
    while not row.done:
        pieces.append(rail.step()[0].text)
    assert "".join(pieces) == row.text
    return pieces, row, teller


def test_a_harmless_reply_comes_whole_one_window_behind_and_piece_by_piece() -> None:
    pieces, row, _ = told("abcdefgh")
    assert pieces == ["", "", "", *map(token, "abcd"), text_of("efgh")]
    assert (row.finish_reason, row.failure, row.text) == ("stop", None, text_of("abcdefgh"))


@pytest.mark.parametrize("place", range(12))
def test_nothing_of_what_is_harmful_gets_out(place: int) -> None:
    words = list("abcdefghijkl")
    words[place] = "BAD"
    pieces, row, teller = told(words)
    assert row.finish_reason == "content_filter"
    assert row.failure is None
    assert row.text == text_of(words)[: len(row.text)]
    assert "BAD" not in "".join(pieces)
    assert teller.running == 0
    assert len(row.token_ids) <= place + 3


def test_under_a_policy_that_is_not_enforced_a_harmful_reply_goes_on_and_is_remembered() -> None:
    words = [*"abcd", "BAD", *"efghijklmn"]
    _, row, _ = told(words, policy=ReplyDecision.WOULD_CUT)
    assert (row.text, row.finish_reason, row.cut) == (text_of(words), "stop", False)
    assert row.harmful
    assert not told("abcdefgh")[1].harmful
    assert told(words)[1].harmful


def test_a_reply_that_cannot_be_judged_fails() -> None:
    _, row, teller = told("abcd?fghi")
    assert isinstance(row.failure, GenerationError)
    assert row.finish_reason is None
    assert "?" not in row.text
    assert teller.running == 0


def test_a_reply_that_fails_by_itself_keeps_its_failure_and_says_no_more() -> None:
    pieces, row, _ = told([*"abcd", "FAIL"])
    assert str(row.failure) == "it broke"
    assert "".join(pieces) == row.text == "aaa"


def test_every_reply_is_judged_once_a_window_and_those_that_are_due_together() -> None:
    asked: list[list[str]] = []

    def judge(texts: Sequence[str], policies: Sequence[Any]) -> list[ReplyDecision | None]:
        asked.append(list(texts))
        return [ReplyDecision.RELEASE] * len(texts)

    rail = RailedGenerator(ScriptedGenerator(), judge, window=4)
    rows = [rail.create_sequence(job("x" * 10)), rail.create_sequence(job("y" * 10))]
    rail.admit(rows)
    while rail.running:
        rail.step()
    assert [len(texts) for texts in asked] == [2, 2, 2]
    assert [len(texts[0]) for texts in asked] == [12, 24, 30]


def test_who_is_nearly_due_is_judged_with_those_who_are_and_then_again_with_them() -> None:
    sizes: list[int] = []

    def judge(texts: Sequence[str], policies: Sequence[Any]) -> list[ReplyDecision | None]:
        sizes.append(len(texts))
        return [ReplyDecision.RELEASE] * len(texts)

    rail = RailedGenerator(ScriptedGenerator(), judge, window=4)
    rail.admit([rail.create_sequence(job("x" * 21))])
    rail.step()
    rail.admit([rail.create_sequence(job("y" * 40))])
    for _ in range(14):
        rail.step()
    assert sizes == [2, 2, 2, 2]


def test_of_a_long_reply_only_the_newest_words_are_judged() -> None:
    longest = 0

    def judge(texts: Sequence[str], policies: Sequence[Any]) -> list[ReplyDecision | None]:
        nonlocal longest
        longest = max(longest, *map(len, texts))
        return [ReplyDecision.RELEASE] * len(texts)

    rail = RailedGenerator(ScriptedGenerator(), judge, window=2)
    row = rail.create_sequence(job("z" * 500))
    rail.admit([row])
    while not row.done:
        rail.step()
    assert row.text == "z" * 1500
    assert longest == 30


def test_rows_that_leave_leave_nothing_behind() -> None:
    teller = ScriptedGenerator()
    rail = RailedGenerator(teller, judge_by_words, window=2)
    rows = [
        rail.create_sequence(job("a" * 9)),
        rail.create_sequence(job([*"aa", "BAD", *"aaaa"])),
        rail.create_sequence(job("a" * 3)),
    ]
    assert rail.fits(rows)
    rail.admit(rows)
    rail.step()
    rail.drop(rows[0])
    while rail.running:
        rail.step()
    assert not rail._sequences
    assert teller.dropped[0] is rows[0].inner


def test_any_mix_of_replies_says_what_each_would_say_alone_and_never_more() -> None:
    rng = Random(0)
    for _ in range(200):
        texts = [
            ["BAD" if rng.random() < 0.05 else rng.choice("abc ") for _ in range(rng.randint(1, 15))] for _ in range(4)
        ]
        window = rng.randint(1, 5)
        rail = RailedGenerator(ScriptedGenerator(), judge_by_words, window=window)
        waiting = [rail.create_sequence(job(text)) for text in texts]
        rows = list(waiting)
        while waiting or rail.running:
            if waiting and rng.random() < 0.5:
                rail.admit([waiting.pop(0)])
            rail.step()
        for text, row in zip(texts, rows, strict=True):
            _, alone, _ = told(text, window)
            assert row.finish_reason == alone.finish_reason
            if row.cut:  # when it was judged, and so how much came before, depends on its neighbours
                assert text_of(text).split("BAD")[0].startswith(row.text)
            else:
                assert row.text == alone.text == text_of(text)


def test_a_judge_that_raises_for_one_reply_fails_that_one_alone() -> None:
    def raises(texts: Sequence[str], policies: Sequence[Any]) -> list[ReplyDecision | None]:
        if any("BAD" in text for text in texts):
            raise RuntimeError("SECRET")
        return [ReplyDecision.RELEASE] * len(texts)

    rail = RailedGenerator(ScriptedGenerator(), raises, window=2)
    rows = [
        rail.create_sequence(job("abcdef")),
        rail.create_sequence(job([*"ab", "BAD", *"cd"])),
        rail.create_sequence(job("ghi")),
    ]
    rail.admit(rows)
    while rail.running:
        rail.step()
    assert [type(row.failure) for row in rows] == [type(None), GenerationError, type(None)]
    assert [row.text for row in (rows[0], rows[2])] == [text_of("abcdef"), text_of("ghi")]
