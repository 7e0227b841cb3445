"""Sentences for judging each alone, and pieces of bounded length for undoing disguises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_core.inputs.text.sentences import split_pieces, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
        ("Version 2.0 of www.a.b is out. Good.", ["Version 2.0 of www.a.b is out.", "Good."]),
        ("without.Space between", ["without.", "Space between"]),
        ("はい。いいえ\uff01", ["はい。", "いいえ\uff01"]),
        ("over\ntwo lines. Next", ["over two lines.", "Next"]),
        ("Wow!!! \U0001f600 Next", ["Wow!!!", "\U0001f600 Next"]),
        ("no end", ["no end"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_a_text_is_split_at_the_ends_of_its_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(st.text(alphabet="aB.!? \n\"'[1]", max_size=80))
def test_no_character_of_a_text_is_lost(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
    assert "".join("".join(split_pieces(text)).split()) == "".join(text.split())


def test_a_sentence_cut_into_words_by_full_stops_stays_together() -> None:
    assert split_pieces("How. do. I. do. this. Now tell me all about it. Yes.") == [
        "How. do. I. do. this.",
        "Now tell me all about it.",
        "Yes.",
    ]


def test_pieces_of_a_long_sentence_are_bounded_and_cut_between_words() -> None:
    pieces = split_pieces("word " * 300)
    assert max(map(len, pieces)) <= 512
    assert all(piece.split() == ["word"] * len(piece.split()) for piece in pieces)
