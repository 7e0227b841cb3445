import re
from html.parser import HTMLParser

import pytest

from safety_core.dataset_audit.reporting.examples import Example, ExamplePicture
from safety_core.dataset_audit.reporting.page import format_page, format_percent, hash_style
from safety_core.dataset_audit.reporting.summary import Summary
from safety_core.taxonomy import DEFAULT_TAXONOMY

HOSTILE = "</blockquote><script>alert(1)</script><img src=https://example.com/x onerror=alert(1)> 'quoted\""
URL = "data:image/jpeg;base64,AAAA"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def create_page(place: str = "a.png", text: str = "words") -> str:
    summary = Summary(DEFAULT_TAXONOMY)
    row = {"kind": "pair", "outcome": "judged", "problem": HOSTILE, "label_level": 0, "number": 0, "unsafe": 0.9}
    summary.count(row | {"decision": "refused", "type": "illegal", "level": 3})
    picture = ExamplePicture(url=URL, heatmap="data:image/png;base64,BBBB", width=20, height=10)
    example = Example(place=place, unsafe=0.9, surface="joint", decision="refused", text=text, pictures=(picture,))
    return format_page(place, "tiny", summary, {("illegal", 3): [example], ("safe", 0): [example]})


def read_page(page: str) -> _Page:
    parsed = _Page()
    parsed.feed(page)
    return parsed


def test_what_the_data_says_is_text_and_nothing_else() -> None:
    parsed = read_page(create_page(HOSTILE, HOSTILE))
    assert parsed.tags == read_page(create_page()).tags
    assert "script" not in parsed.tags
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name == "style"]


def test_nothing_is_loaded_from_elsewhere() -> None:
    parsed = read_page(create_page())
    sources = [value for name, value in parsed.attributes if name in ("src", "href", "action", "srcset", "data")]
    assert sources
    assert all(value.startswith("data:image/") for value in sources)


def test_the_policy_forbids_all_but_the_pages_own_style_and_pictures() -> None:
    page = create_page()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    directives = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'{hash_style(style)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not re.search(r"url\(|@import", style)


def test_each_example_is_blurred_until_its_own_box_is_checked() -> None:
    page = create_page()
    assert page.count('class="reveal"') == 2
    assert "checked>" not in page
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) == 4
    assert ".reveal:not(:checked) ~ .content { filter: blur(1.25rem)" in page


def test_counts_have_intervals() -> None:
    assert "100.0 % [20.7 %, 100.0 %]" in create_page()


@pytest.mark.parametrize(("value", "text"), [(0.0, "0.0 %"), (0.5, "50.0 %"), (0.0123, "1.2 %"), (0.000123, "0.012 %")])
def test_small_shares_keep_two_digits(value: float, text: str) -> None:
    assert format_percent(value) == text
