"""Characters become the letters that they may stand for, and the likeliest words are found in them."""

import pytest

from safety_core.inputs.text.disguises.letter_symbols import build_symbols
from safety_core.inputs.text.lexicon import load_english


def read(text: str) -> str:
    return " ".join(load_english().segment(build_symbols(text)).words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p4per b0at", "paper boat"),
        ("p.a.p.e.r b.o.a.t", "paper boat"),
        ("p a p e r  b o a t", "paper boat"),
        ("p\u0430per", "paper"),  # a Cyrillic letter
        ("p\u0301a\u0308per", "paper"),  # combining marks
        ("paaaaaper", "paper"),
        ("showMeTheBoat", "show me the boat"),
        ("don't", "dont"),
        ("show me the boat", "show me the boat"),
        ("", ""),
    ],
)
def test_the_words_behind_a_disguise_are_read(text: str, words: str) -> None:
    assert read(text) == words


def test_numbers_beside_words_stay_numbers() -> None:
    assert read("i have 12 dogs") == "i have 12 dogs"
    assert all(not symbol.options for symbol in build_symbols("12345678901234567890"))


def test_continuing_a_word_costs_more_the_wider_the_gap() -> None:
    costs = [build_symbols(f"ab{gap}cd")[2].crossing for gap in ("", "-", " ", "\n")]
    assert costs == sorted(set(costs))
    assert costs[0] == 0.0


def test_single_letters_are_joined_across_the_narrowest_gap_of_the_text() -> None:
    narrow, wide = build_symbols("a b c  d")[1], build_symbols("a b c  d")[3]
    assert narrow.crossing < wide.crossing


def test_a_mask_may_be_any_letter_at_a_cost() -> None:
    mask = build_symbols("pa*er")[2]
    assert {letter for letter, _ in mask.options} == set("abcdefghijklmnopqrstuvwxyz")
    assert mask.skipping is not None
    assert build_symbols("a ** b")[1].literal == "b", "several in a row are separators"
