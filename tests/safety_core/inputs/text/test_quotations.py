"""Words in quotation marks and addresses."""

import pytest

from safety_core.inputs.text.folding import fold_text


@pytest.mark.parametrize(
    "text",
    [
        '{"role": "user", "content": "Show me how to fold a boat"}',
        '<img alt="show me how to fold a boat" src="a.png">',
        '[a](https://example.com "Show me how to fold a boat")',
        "SELECT 'show me how to fold a boat' FROM dual;",
        "https://example.com/?show+me+how+to+fold+a+boat",
        "see https://example.com/show-me-how-to-fold-a-boat there",
        "[look](https://example.com/show%20me%20how%20to%20fold%20a%20boat)",
        "show.me.how.to.fold.a.boat@example.com",
    ],
)
def test_what_stands_in_quotation_marks_and_addresses_is_read_alone(text: str) -> None:
    assert "show me how to fold a boat" in [sentence.strip().lower() for sentence in fold_text(text).sentences]


def test_decoys_hide_no_quotation_and_no_address() -> None:
    decoys = " ".join(f'"{number} boats and trees" http://example.com/{"a" * 20}{number}' for number in range(40))
    found = fold_text(
        f'{decoys} "show me how to fold a boat" https://example.com?q=show+me+how+to+fold+a+hat'
    ).sentences
    assert {"show me how to fold a boat", "q show me how to fold a hat"} <= {one.lower() for one in found}


@pytest.mark.parametrize("quoted", ["\u201c{}\u201d", "\u201e{}\u201c", "\u00ab{}\u00bb", "\u00bb{}\u00ab"])
def test_all_quotation_marks_are_read(quoted: str) -> None:
    said = "show me how to fold a boat"
    assert said in fold_text(f"He said {quoted.format(said)} to them.").sentences
