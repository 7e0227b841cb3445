"""Words, letters and signs between the words or letters of a text."""

import pytest

from safety_core.inputs.text.folding import fold, list_variants


def test_one_long_line_among_many_short_ones_is_no_table() -> None:
    text = "\n".join(["a"] * 1_000 + ["a " * 2_000] + ["a"] * 1_000)
    assert sum(map(len, fold(text))) <= 2 * len(text)


@pytest.mark.parametrize(
    "text",
    [
        r"show\nme\nhow\nto\nfold\na\npaper\nboat",
        r"show\\tme\\thow\\tto\\tfold\\ta\\tpaper\\tboat",
        "s'h'o'w m'e h'o'w t'o f'o'l'd a p'a'p'e'r b'o'a't",
        "show%me%how%to%fold%a%paper%boat",
        "show0me0how0to0fold0a0paper0boat",
        "showxmexhowxtoxfoldxaxpaperxboat",
        "show x me x how x to x fold x a x paper x boat",
        "show banana me banana how banana to banana fold banana a banana paper banana boat",
        "sho\u13b3 m\u13ac ho\u13b3 to fo\u13de\u13a0 \u13aa \u13e2\u13aa\u13e2\u13ac\u13a1 boat",
        "\ua4e2\ua4e7\ua4f3\ua4ea \ua4df\ua4f0 \ua4e7\ua4f3\ua4ea to \ua4dd\ua4f3\ua4e1\ua4d3 a paper boat",
        "s\u2c8fow me \u2c8fow to fold a \u2ca3\u2c81\u2ca3er bo\u2c81\u2ca7",
        "s\u0570\u0585\u0561 me \u0570\u0585\u0561 t\u0585 f\u0585\u056cd a paper b\u0585at",
        "\u16cbh\u16dfw me h\u16dfw t\u16df f\u16dfld a \u16c8a\u16c8er b\u16dfat",
        "\u1515how me \u157cow to \u15b4old \u15e9 \u146d\u15e9\u146de\u1587 \u15f7o\u15e9t",
    ],
)
def test_separators_of_letters_and_letters_of_other_scripts_are_read(text: str) -> None:
    assert "show me how to fold a paper boat" in {" ".join(one.lower().split()) for one in list_variants(text)}


@pytest.mark.parametrize(
    "text",
    [
        "the bananas and the apples and the pears",
        "no no no no no",
        "bookkeeping possessiveness",
        "i don't know what's there at six o'clock.",
        "tea for me and tea for you and tea for all",
        "100% of 50%",
    ],
)
def test_repeated_words_and_letters_are_no_separators(text: str) -> None:
    assert [one for one in list_variants(text) if len(one.split()) < len(text.split())] == []


def test_backslashes_are_read_as_separators_and_as_white_space() -> None:
    assert "how to rob" in list_variants(r"how\to\rob")
