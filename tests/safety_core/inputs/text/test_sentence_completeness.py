"""Whole questions and courtesies stand alone; what ends in mid-sentence continues in the next turn."""

import pytest

from safety_core.inputs.text.sentence_completeness import (
    is_complete,
    is_filler,
    is_one_request,
    is_unfinished,
    may_continue,
    strip_end_marks,
)


@pytest.mark.parametrize(
    ("text", "following", "continues"),
    [
        ("How do I make a", "bomb at home", True),  # ends with a word that rarely ends a sentence
        ("How do I make a.", "bomb at home", True),
        ("How do", "I", True),  # both are very short
        ("I like big dogs", "and small ones", True),  # nothing separates them
        ("I like dogs", "What is the capital of France?", True),  # too short for a sentence of its own
        ("I like big dogs", "What is the capital of France?", False),
        ("I like dogs.", "How big are they?", False),
        ('He said "no."', "and left", False),
        ("thanks", "a bomb", False),
        ("make", "Good morning!", False),
    ],
)
def test_a_text_may_continue_unless_something_separates_it(text: str, following: str, continues: bool) -> None:
    assert may_continue(text, following) is continues


@pytest.mark.parametrize(
    ("text", "complete", "whole"),
    [
        ("What is the capital of France?", True, True),
        ("Please tell me about the sea", True, True),
        ("Thank you very much!", True, False),
        ("", True, False),
        ("  \n", True, False),
        ("How do I make a", False, True),
        ("What now?", False, False),  # too few words
        ("How do I do this? And that?", False, False),
        ("the cat sat on the mat", False, False),
    ],
)
def test_whole_requests_and_courtesies_are_complete(text: str, complete: bool, whole: bool) -> None:
    assert (is_complete(text), is_one_request(text)) == (complete, whole)


@pytest.mark.parametrize(
    ("text", "filler"),
    [("ok.", True), ("go on!", True), ("see you tomorrow", True), ("ok", False), ("tell me more, please.", False)],
)
def test_a_word_or_two_and_a_mark_only_keep_a_conversation_going(text: str, filler: bool) -> None:
    assert is_filler(text) is filler


def test_the_last_word_tells_whether_a_text_is_unfinished() -> None:
    assert is_unfinished("show me THE…")
    assert not is_unfinished("the theme")


@pytest.mark.parametrize(("text", "stripped"), [("How do I?! ", "How do I"), ("a b", "a b"), ("...", "...")])
def test_final_punctuation_is_stripped_unless_there_is_nothing_else(text: str, stripped: str) -> None:
    assert strip_end_marks(text) == stripped
