"""A text as a reader sees it, and its capitals."""

import pytest

from safety_core.inputs.text.normalisation import lower_capitals, normalise


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ﬁre", "fire"),
        ("\uff4b\uff4e\uff49\uff46\uff45", "knife"),
        ("k\u200bn\u200di\u2060f\ufeffe", "knife"),
        ("\u202eefink\u202c", "efink"),
        ("hi\U000e0068\U000e0069", "hi"),
        ("a\x00b\x1b[0m", "ab[0m"),
        ("a\tb\r\nc\rd\u2028e", "a b\nc\nd\ne"),
        ("x\ufe0fy\U000e0101z", "xyz"),
        ("a\u3164b\u2800c\u034fd", "abcd"),
        ("a\u2065b\ufff0c\U000e0002d\U000e0080e\U000e0fff", "abcde"),
        ("e\u200b\u0301", "é"),
        ("lone \ud800", "lone "),
        ("plain text, two\nlines 世界 🙂", "plain text, two\nlines 世界 🙂"),
    ],
)
def test_normalised_text_is_what_a_reader_sees(text: str, plain: str) -> None:
    assert normalise(text) == plain
    assert normalise(normalise(text)) == plain


@pytest.mark.parametrize("space", [char for char in map(chr, range(0x110000)) if char.isspace()], ids=ascii)
def test_words_end_at_every_kind_of_white_space(space: str) -> None:
    assert normalise(f"a.{space}b").split() == ["a.", "b"]


def test_small_letters_take_no_longer_for_dots_without_end() -> None:
    # The square of this many would never end.
    assert lower_capitals("." * 1_000_000 + "A") == "." * 1_000_000 + "A"
    assert lower_capitals("A!" * 200_000) == "A!" + "a!" * 199_999
