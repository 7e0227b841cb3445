"""Ciphers: one of the readings of a text is what it said."""

import codecs

import pytest

from safety_core.inputs.text.disguises.ciphers import list_decipherings
from safety_core.inputs.text.lexicon import load_english

PLAIN = "show me the green paper boat"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
FLIPPED = {
    "a": "\u0250", "b": "q", "e": "\u01dd", "g": "\u0183", "h": "\u0265", "m": "\u026f", "n": "u", "p": "d",
    "r": "\u0279", "t": "\u0287", "w": "\u028d",
}  # fmt: skip


def read(text: str) -> list[str]:
    return list(list_decipherings(text, load_english()))


@pytest.mark.parametrize(
    "text",
    [
        PLAIN[::-1],
        " ".join(word[::-1] for word in PLAIN.split()),
        codecs.encode(PLAIN, "rot13"),
        PLAIN.translate(str.maketrans(LETTERS, LETTERS[3:] + LETTERS[:3])),
        PLAIN.translate(str.maketrans(LETTERS, LETTERS[::-1])),
        "".join(FLIPPED.get(char, char) for char in reversed(PLAIN)),
        "owshay emay ethay eengray aperpay oatbay",
    ],
)
def test_a_reading_of_a_cipher_is_the_text(text: str) -> None:
    assert PLAIN in read(text)


def test_spaces_between_letters_are_removed() -> None:
    assert "paper" in read("p a p e r")


def test_a_text_without_known_words_is_not_deciphered() -> None:
    shifted = read("qzxv vkqj")
    assert shifted == ["jqkv vxzq", "vxzq jqkv", "qzxvvkqj"]


def test_a_word_that_is_no_pig_latin_is_kept_beside_those_that_are() -> None:
    assert "paper boat zzz" in read("aperpay oatbay zzz")
    assert len(read("aperpay zzz zzz")) == 3, "most of the words must be"


def test_characters_beyond_ascii_leave_the_alphabet_alone() -> None:
    assert len(read("caf\u00e9 z")) == 3
