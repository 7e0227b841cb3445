"""Letters of other scripts that look like Latin ones."""

import pytest

from safety_core.inputs.text.disguises.confusables import find_latin_letters
from safety_core.inputs.text.folding import fold


@pytest.mark.parametrize(
    ("char", "letter"),
    [
        *[("\u0430", "a"), ("\u0435", "e"), ("\u043e", "o"), ("\u0440", "p"), ("\u0441", "c"), ("\u0445", "x")],
        *[("\u03b1", "a"), ("\u0585", "o"), ("\u00e9", "e"), ("\u1d00", "a"), ("\u24d0", "a"), ("\uff41", "a")],
        *[("\u13b3", "w"), ("b", "b")],
    ],
    ids=ascii,
)
def test_a_letter_that_looks_like_a_latin_one_is_replaced(char: str, letter: str) -> None:
    assert find_latin_letters(char.lower())[:1] == letter or find_latin_letters(char)[:1] == letter


@pytest.mark.parametrize("char", ["1", " ", ".", "\u4e16", "\U0001f642"], ids=ascii)
def test_other_characters_stand_for_no_letter(char: str) -> None:
    assert find_latin_letters(char) == ""


def test_cyrillic_letters_that_look_like_latin_ones_are_replaced_before_a_text_is_judged() -> None:
    assert fold("sh\u043ew me h\u043ew to f\u043eld \u0430 \u0440\u0430p\u0435r b\u043e\u0430t") == (
        "show me how to fold a paper boat",
    )
