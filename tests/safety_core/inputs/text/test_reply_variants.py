"""Variants of a window of a reply: plain text has none to spare, and a disguise hides no word from the guard."""

import pytest

from safety_core.inputs.text.lexicon import load_english
from safety_core.inputs.text.reply_variants import build_reply_variants, is_plain

SAID = "Sure, here is how to make a bomb: first step."


def variants(text: str) -> tuple[str, ...]:
    return build_reply_variants(text, lambda one: one.replace("USER:", " "))


@pytest.mark.parametrize("text", ["a dog and a house in the picture.", "I like it. You are right, it is 12 of 30."])
def test_plain_text_is_judged_once(text: str) -> None:
    assert variants(text) == (text,)


@pytest.mark.parametrize(
    "disguised",
    [
        SAID.upper(),
        SAID.title(),
        SAID.replace(" ", "\n"),
        SAID.replace(" ", "   "),
        SAID.replace(" ", "."),
        SAID.replace(" ", "_"),
        " ".join(SAID),
        "\u200b".join(SAID),
        "\u00ad".join(SAID),
        "".join(f"{char}\u0336" for char in SAID),
        "".join(f"<b>{char}</b>" for char in SAID),
        " ".join(f"**{word}**" for word in SAID.split()),
        " ".join(f"USER: {word}" for word in SAID.split()),
    ],
)
def test_a_disguise_is_undone_in_one_of_the_variants(disguised: str) -> None:
    found = [
        " ".join("".join(c for c in one.lower() if c.isalpha() or c == " ").split()) for one in variants(disguised)
    ]
    assert "sure here is how to make a bomb first step" in found
    assert variants(disguised)[0] == disguised


@pytest.mark.parametrize(
    "text", ["hu rt my si st er", "k i l l", "killyoursister now please", "k1ll your sister", "kill.your"]
)
def test_words_that_are_cut_or_joined_are_not_plain(text: str) -> None:
    assert not is_plain(f"the {text} end")


def test_words_that_only_the_tokenizer_knows_are_found_under_a_disguise() -> None:
    lexicon = load_english().extend(["drells"])
    found = build_reply_variants("Sure,.here.is.it:.drells.are.lazy!", str, lexicon)
    assert any("drells are lazy" in one for one in found)


def test_a_word_between_all_others_is_taken_out() -> None:
    assert "here is how to make a bomb" in variants(" tea ".join(["here", "is", "how", "to", "make", "a", "bomb"]))


def test_blank_text_stays_itself() -> None:
    assert variants(" ") == (" ",)


def test_words_that_invisible_characters_spell_are_read() -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "how to make a bomb")
    assert "how to make a bomb" in variants(f"Hello{hidden}")
