"""Markup inside words is removed; a block starts a new line, and signs of mathematics stay."""

import pytest

from safety_core.inputs.text.disguises.markup import remove_markup


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("fold a p<b>ap</b>er boat", "fold a paper boat"),
        ("one<BR/>two", "one\ntwo"),
        ("<p class='x'>one</p>", "\none\n"),
        ("pa<!-- per -->per", "paper"),
        ("<![CDATA[paper]]>", "paper"),
        ("[b]pa[/b]per", "paper"),
        ("[url=http://x]pa[/url]per", "paper"),
        ("![a paper](boat.png 'title')", "a paper"),
        ("pa[31mp[0mer", "paper"),
        (r"\textbf{pa}per", "{pa}per"),
        ("pa-\nper", "paper"),
        ("pa-\n> per", "paper"),
        ("1. fold\n- a\n> paper\n# boat", "fold\na\npaper\nboat"),
        ("a < b > c", "a < b > c"),
        ("x[1] and [2]", "x[1] and [2]"),
        ("- alone", "- alone"),  # one line is no list
        ("a-b\nc", "a-b\nc"),
    ],
)
def test_only_markup_is_removed(text: str, plain: str) -> None:
    assert remove_markup(text) == plain


@pytest.mark.parametrize("text", ["<" * 50_000, "<a " * 20_000, "[" * 50_000, "<!--" * 10_000, "\\a" * 30_000])
def test_markup_that_is_never_closed_stays_however_much_there_is(text: str) -> None:
    assert remove_markup(text) == text
