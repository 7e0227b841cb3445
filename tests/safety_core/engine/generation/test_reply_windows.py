"""Windows of replies: nothing is released unjudged, nothing hides on a border, and sparse text fills longer windows."""

from random import Random
from types import SimpleNamespace

import pytest

from safety_core.engine.generation.output_rail import RailedGenerator, ReplyDecision
from safety_core.engine.generation.reply_windows import ReplyWindows, count_letters, split_windows
from tests.helpers.engine.scripted_generator import ScriptedGenerator, judge_by_words


def released(pieces: list[str], size: int) -> tuple[list[str], list[str]]:
    """What comes out after each token, and the texts that were judged on the way."""
    windows, out, judged = ReplyWindows(size), [], []
    for piece in pieces:
        windows.push(piece)
        if windows.full:
            judged.append(windows.get_text())
            windows.mark_judged()
        out.append(windows.release())
    if windows.unjudged_tokens:
        judged.append(windows.get_text())
    out.append(windows.release_all())
    return out, judged


def test_the_first_windows_are_short_and_then_full() -> None:
    out, judged = released([f"{number:04} " for number in range(100)], 20)
    assert [text.split()[-1] for text in judged] == ["0003", "0011", "0027", "0047", "0067", "0087", "0099"]
    assert next(index for index, piece in enumerate(out) if piece) == 4


@pytest.mark.parametrize("size", [1, 3, 8, 20])
def test_whatever_is_released_was_judged_with_what_follows_it(size: int) -> None:
    rng = Random(size)
    for _ in range(50):
        pieces = [rng.choice(["", " ", "a", "word", " longer", ".", "字"]) for _ in range(rng.randint(1, 300))]
        windows, seen, said, sent = ReplyWindows(size), 0, "", 0
        for index, piece in enumerate(pieces):
            windows.push(piece)
            if windows.full:
                text = "".join(pieces[: index + 1])
                assert text.endswith(windows.get_text())
                assert len(windows.get_text()) >= len("".join(pieces[seen : index + 1]))
                windows.mark_judged()
                seen = index + 1
            said += windows.release()
            sent = len(said)
            assert "".join(pieces[:seen]).startswith(said)
        assert said + windows.release_all() == "".join(pieces)
        assert sent <= len("".join(pieces[:seen]))


def test_a_complete_reply_is_judged_in_the_windows_that_it_would_have_come_in() -> None:
    rng = Random(0)
    for size in (1, 5, 20):
        pieces = [rng.choice(["a", " word", "", " of", "."]) for _ in range(rng.randint(0, 200))]
        assert list(split_windows(pieces, size)) == released(pieces, size)[1]


@pytest.mark.parametrize("start", range(30))
def test_words_of_less_than_the_overlap_stand_in_one_window_wherever_they_begin(start: int) -> None:
    pieces = [f" word{number}" for number in range(80)]
    pieces[start : start + 8] = [" here", " is", " how", " to", " make", " one", " at", " home"]
    assert any("here is how to make one at home" in text for text in split_windows(pieces, 20))


@pytest.mark.parametrize("between", [" ", ".", "\u200b", "-\n", "\u00ad"])
@pytest.mark.parametrize("start", [0, 3, 11, 50])
def test_of_words_that_are_spelled_out_a_window_holds_as_many(between: str, start: int) -> None:
    said = "here is how to make one"
    spelled = [piece for letter in said if letter != " " for piece in (letter, between)]
    pieces = [*(f" word{number}" for number in range(start)), *spelled, *(" and", " so", " on") * 20]
    bare = ["".join(char for char in text if char.isalpha()) for text in split_windows(pieces, 20)]
    assert any("hereishowtomakeone" in text for text in bare)


def test_what_is_spelled_out_is_held_back_for_as_many_words() -> None:
    plain, _ = released([" word"] * 200, 20)
    spelled, _ = released(["w", " ", "o", " "] * 200, 20)
    assert sum(bool(piece) for piece in plain[:40]) > 0
    said = "".join(spelled[:-1])
    held = "".join(["w", " ", "o", " "] * 200)[len(said) :]
    assert count_letters(held) >= 60


def test_windows_and_what_is_held_back_are_bounded_however_little_a_reply_says() -> None:
    out, judged = released([" "] * 3000, 20)
    assert max(map(len, judged)) <= 8 * 28
    assert len(out[-1]) <= 8 * 20


def test_a_character_of_scripts_with_thousands_of_them_counts_as_several() -> None:
    assert count_letters("字 a1, \uff57\U0001d430") == 3 + 1 + 1 + 1 + 1


@pytest.mark.parametrize("size", [3, 20])
def test_a_reply_is_cut_while_it_comes_where_a_window_of_the_complete_one_is_refused(size: int) -> None:
    rng = Random(size)
    cut = 0
    for _ in range(100):
        pieces = [rng.choice(["word ", "a ", "", "BA", "D", " and"]) for _ in range(rng.randint(1, 120))]
        rail = RailedGenerator(ScriptedGenerator(), judge_by_words, window=size)
        row = rail.create_sequence(SimpleNamespace(words=list(pieces), policy=ReplyDecision.CUT))
        rail.admit([row])
        while not row.done:
            rail.step()
        refused = any("BAD" in text for text in split_windows(pieces, size))
        assert row.cut == refused
        cut += refused
    assert 0 < cut < 100
