"""Spaces that a reader lost come back, and nothing else changes."""

import pytest

from safety_core.inputs.text.lexicon import load_english
from safety_core.lettering.spacing import restore_spaces


@pytest.mark.parametrize(
    ("read", "restored"),
    [
        ("Steps tobake a good applepie:", "Steps to bake a good apple pie:"),
        ("ThisIsAWord", "This Is A Word"),
        ("howtomakeapie", "how to make a pie"),
        ("HOWTOBAKEAPIE", "HOW TO BAKE A PIE"),
        ("Peel apples,then slicethem.Bake for50minutes", "Peel apples, then slice them. Bake for 50 minutes"),
        ("1.Peel them. 12)Mixit", "1. Peel them. 12) Mix it"),
    ],
)
def test_lost_spaces_are_restored(read: str, restored: str) -> None:
    assert restore_spaces(read, load_english()) == restored


@pytest.mark.parametrize(
    "text",
    [
        "Mix flour with cold butter.",
        "www.example.org/path?q=1",
        "NASA and Dr. Hofmann, 12:30, 180C, B2B, MP3",
        "Ünïcödé 東京 привет",
        "can't won't",
        "",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert restore_spaces(text, load_english()) == text


def test_the_work_is_bounded() -> None:
    hard = "aofitheanoratois" * 4096
    assert restore_spaces(hard, load_english()).replace(" ", "") == hard
