"""Texts that people write need no folding, and a folded text counts only for new words."""

import pytest

from safety_core.inputs.text.lexicon import load_english
from safety_core.inputs.text.plain_text import has_other_words, is_ordinary


@pytest.mark.parametrize(
    "text",
    [
        "Show me how to fold a paper boat.",
        "It's 12:30, isn't it? (I hope so.)",
        'It costs 5% or 3.5, "maybe"!',
        "SHOUTING IS ALLOWED",
        "",
    ],
)
def test_known_words_and_numbers_are_ordinary(text: str) -> None:
    assert is_ordinary(text, load_english())


@pytest.mark.parametrize(
    "text",
    [
        "zxqvk me",  # an unknown word
        "p4per boat",
        "paper boat caf\u00e9",
        "fold a \u0440aper boat",  # a Cyrillic letter
        "s h o w me",
        "How. do. I. do. this. now.",
        "(how) (do) (i) (do) (this)",
        "pA per",
        "show banana me banana how banana to banana fold banana a banana paper banana boat",
    ],
)
def test_whatever_may_be_a_disguise_is_not(text: str) -> None:
    assert not is_ordinary(text, load_english())


@pytest.mark.parametrize(
    ("folded", "text", "other"),
    [
        ("show me", "Show me!", False),
        ("it's", "its", False),
        ("a b", "a 1 b", False),
        ("", "anything", False),
        ("show me", "showme", True),
        ("how do i do this", "How. Do. I. Do. This.", True),
        ("how do i", "How. Do.", True),
        ("one two three four", "(one) (two) (three) (four)", True),
    ],
)
def test_case_and_marks_at_the_edges_make_no_other_words(folded: str, text: str, other: bool) -> None:
    assert has_other_words(folded, text) is other
