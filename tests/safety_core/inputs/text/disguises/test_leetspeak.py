"""Digits and signs in place of letters."""

from itertools import cycle

import pytest

from safety_core.inputs.text.folding import fold, list_variants


def test_signs_in_place_of_letters_are_read_unless_they_stand_between_all() -> None:
    assert fold("where can my br*ther go") == ("where can my brother go",)
    signs = cycle("*#\u25cf")
    disguised = "".join(letter + next(signs) for letter in "wash a paper boat" if letter != " ")
    assert fold(disguised) == ("wash a paper boat",)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("15 17 g01ng w3ll", "is it going well"),
        ("exp|@!n why f!re !$ ho+.", "explain why fire is hot."),
        ("He|p me +o buy @ $oup.", "help me to buy a soup."),
        ("Hello ! how.is.the.day ?", "hello! how is the day?"),
    ],
)
def test_short_words_of_digits_and_signs_are_read_among_others(text: str, plain: str) -> None:
    assert plain in list_variants(text)


def test_numbers_stay_numbers_beside_names_that_have_digits() -> None:
    assert all("17 cats" in one for one in list_variants("i have 17 cats and mp3 players, and covid19."))
