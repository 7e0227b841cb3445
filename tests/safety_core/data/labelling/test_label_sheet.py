import csv
from pathlib import Path

import pytest

from safety_core.data.labelling.label_sheet import COLUMNS, Proposal, read_sheet, shorten_text, write_sheet
from safety_core.data.samples import RiskLabel
from safety_core.errors import SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY

ILLEGAL = RiskLabel(type=1, level=3)


def make_proposal(key: str = "k1", label: RiskLabel | None = ILLEGAL, **fields: object) -> Proposal:
    values = {"line": 7, "id": "one", "uncertainty": 0.25, "images": (), "text": "Why?"} | fields
    return Proposal(key=key, label=label, **values)  # type: ignore[arg-type]


def read_rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def write_rows(file: Path, *changes: dict[str, str], delimiter: str = ",") -> Path:
    """Write a sheet of one row for each change, as a person leaves it."""
    write_sheet(file, [make_proposal(f"k{number}") for number in range(len(changes))], DEFAULT_TAXONOMY)
    rows = [row | change for row, change in zip(read_rows(file), changes, strict=True)]
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return file


def test_a_sheet_shows_the_proposal_and_the_record(tmp_path: Path) -> None:
    file = tmp_path / "sheet.csv"
    proposals = [
        make_proposal(images=(Path("a.png"), Path("b.png"))),
        make_proposal("k2", None, text="Two\nlines, one"),
    ]
    assert write_sheet(file, proposals, DEFAULT_TAXONOMY) == 2
    first, second = read_rows(file)
    assert first == {
        "key": "k1",
        "line": "7",
        "id": "one",
        "uncertainty": "0.2500",
        "proposed_type": "illegal",
        "proposed_level": "refuse",
        "type": "illegal",
        "level": "refuse",
        "confirmed": "",
        "images": "a.png; b.png",
        "text": "Why?",
    }
    assert (second["type"], second["level"], second["text"]) == ("", "", "Two\nlines, one")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_cell_is_a_formula(tmp_path: Path, text: str) -> None:
    write_sheet(tmp_path / "sheet.csv", [make_proposal(text=text, id=text)], DEFAULT_TAXONOMY)
    (row,) = read_rows(tmp_path / "sheet.csv")
    assert row["text"] == row["id"] == f"'{text}"


def test_long_texts_are_shortened() -> None:
    assert shorten_text("x" * 2000) == "x" * 2000
    assert shorten_text("x" * 2001) == "x" * 2000 + " […]"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_that_say_yes_are_confirmed(tmp_path: Path, delimiter: str) -> None:
    changes = [
        {"confirmed": " Yes "},
        {"confirmed": "x", "type": "privacy", "level": "1"},
        {"confirmed": "no"},
        {"confirmed": ""},
        {"confirmed": "1", "type": "safe", "level": "safe"},
    ]
    sheet = read_sheet(write_rows(tmp_path / "s.csv", *changes, delimiter=delimiter), DEFAULT_TAXONOMY)
    assert sheet.labels == {"k0": ILLEGAL, "k1": RiskLabel(type=4, level=1), "k4": RiskLabel(type=6, level=0)}
    assert (sheet.changed, sheet.unconfirmed) == (2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confirmed": "maybe"}, r"s\.csv:3: confirmed: yes or no is needed"),
        ({"confirmed": "yes", "type": "bad"}, r"s\.csv:3: type: one of \['politics'"),
        ({"confirmed": "yes", "type": ""}, r"s\.csv:3: type: one of"),
        ({"confirmed": "yes", "level": "9"}, r"s\.csv:3: level: a level from 0 to 3"),
        ({"confirmed": "yes", "type": "safe"}, r"s\.csv:3: level: level 0 belongs to the type 'safe'"),
        ({"confirmed": "yes", "level": "0"}, r"s\.csv:3: level: level 0 belongs to the type 'safe'"),
        ({"confirmed": "yes", "key": " "}, r"s\.csv:3: key: the field is empty"),
        ({"confirmed": "yes", "key": "k0", "level": "1"}, r"s\.csv:3: key: the record has another label"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, change: dict[str, str], message: str) -> None:
    with pytest.raises(SampleError, match=message):
        read_sheet(write_rows(tmp_path / "s.csv", {"confirmed": "yes"}, change), DEFAULT_TAXONOMY)


def test_a_file_that_is_no_sheet_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SampleError, match=r"s\.csv:2: "):
        read_sheet(tmp_path / "s.csv", DEFAULT_TAXONOMY)
