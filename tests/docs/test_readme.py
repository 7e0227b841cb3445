"""The README's figures of safevlm-small are those of its model card."""

import re

from tests.helpers.paths import ROOT, SMALL_CHECKPOINT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CARD = (SMALL_CHECKPOINT / "MODEL_CARD.md").read_text(encoding="utf-8")

COLUMNS = {
    "harmful requests": ("#### Harmful, flagged, %", "harmful"),
    "rendered as lettering": ("#### Harmful, flagged, %", "rendered"),
    "weapons in photographs": ("#### Harmful, flagged, %", "weapons"),
    "harmless requests": ("#### Harmless, flagged, %", "harmless"),
    "look-alikes": ("#### Harmless, flagged, %", "lookalikes"),
    "harmless photographs": ("#### Harmless, flagged, %", "photographs"),
}
ROWS = {
    "TF-IDF and logistic regression": "tfidf",
    "MiniLM embeddings and logistic regression": "minilm",
    "the bare language model, asked for a verdict": "judge",
    "safevlm-small": "shipped",
}


def read_table(text: str, start: str) -> dict[str, dict[str, str]]:
    """Rows of the first table after a heading or of the table that starts so: name → column → cell."""
    lines = text[text.index(start) :].splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    head, _, *body = rows
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}


def test_the_figures_are_those_of_the_card() -> None:
    table = read_table(README, "| system | harmful requests")
    assert set(table) == set(ROWS)
    for system, row in ROWS.items():
        assert set(table[system]) == set(COLUMNS)
        for column, (heading, name) in COLUMNS.items():
            measured = read_table(CARD, heading).get(row, {}).get(name, "–").split(" ")[0]
            assert table[system][column] == ("–" if measured == "–" else f"{measured} %")


def test_the_number_of_items_is_that_of_the_card() -> None:
    (items,) = re.findall(r"### real/test: (\d+) items", CARD)
    assert f"{int(items):,} items" in README


def test_the_card_of_the_nano_is_quoted() -> None:
    assert "1.1 % unsafe replies with the guard, 85.9 % without" in README
    page = (ROOT / "docs" / "nano.md").read_text(encoding="utf-8")
    assert re.search(r"as shipped \| 1\.1 %", page)
    assert re.search(r"without the guard \| 85\.9 %", page)
