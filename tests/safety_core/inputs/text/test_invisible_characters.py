"""Words that invisible characters encode."""

from collections.abc import Callable

import pytest

from safety_core.inputs.text.invisible_characters import reveal_hidden


def in_tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(char)) for char in text)


def in_selectors(text: str) -> str:
    return "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 - 16 + byte) for byte in text.encode())


@pytest.mark.parametrize("hide", [in_tags, in_selectors])
def test_words_that_invisible_characters_spell_are_revealed(hide: Callable[[str], str]) -> None:
    assert reveal_hidden(f"Show me{hide(' a boat')}!") == ("Show me a boat!", " a boat")
    assert reveal_hidden(hide("a boat")) == ("a boat", "a boat")


@pytest.mark.parametrize("text", ["", "a boat", "a \u2764\ufe0f boat", "\u845b\U000e0100 and \u4e00\U000e0101"])
def test_ordinary_invisible_characters_spell_nothing(text: str) -> None:
    assert reveal_hidden(text) == ()
