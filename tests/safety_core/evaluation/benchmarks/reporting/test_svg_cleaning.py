import pytest

from safety_core.evaluation.benchmarks.reporting.svg_cleaning import clean_svg

DRAWING = """<?xml version="1.0"?>
<!DOCTYPE svg>
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" viewBox="0 0 9 9" version="1.1">
 <metadata>author</metadata>
 <defs><style type="text/css">*{a: b}</style></defs>
 <!-- note -->
 <path id="p1" style="fill: #ff0000; stroke: none"/>
 <use xlink:href="#p1" clip-path="url(#c1)"/>
 <text style="font: 10px 'Some Font'; text-anchor: middle">a &lt; b</text>
</svg>"""


def test_nothing_is_left_that_a_strict_page_forbids_or_that_collides() -> None:
    cleaned = clean_svg(DRAWING, prefix="roc", label='Area "1" <b>')
    for forbidden in ("style", "metadata", "note", "xlink", "DOCTYPE", "<b>"):
        assert forbidden not in cleaned
    assert '<path id="roc-p1" fill="#ff0000" stroke="none"/>' in cleaned
    assert 'href="#roc-p1" clip-path="url(#roc-c1)"' in cleaned
    assert '<text font-size="10" text-anchor="middle">a &lt; b</text>' in cleaned
    assert 'aria-label="Area &quot;1&quot; &lt;b&gt;"' in cleaned


def test_a_drawing_without_a_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="view box"):
        clean_svg("<svg></svg>", prefix="a", label="a")
