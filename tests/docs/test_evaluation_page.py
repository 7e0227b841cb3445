"""docs/evaluation.md matches the code."""

import re
from pathlib import Path

import pytest

from safety_core.evaluation.runs.systems import list_standard_systems
from safety_core.evaluation.scoring.reply_kinds import SAFETY_SCORES, Duty, ReplyKind
from safety_core.evaluation.statistics.measures import MEASURES
from safety_core.evaluation.suites.suite import PairMeta
from tests.helpers.paths import ROOT

TEXT = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """Cells of the table whose header starts with these words."""
    lines = TEXT[TEXT.index(f"| {heading}") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("duty", [duty for duty in Duty if duty is not Duty.ANSWER])
def test_the_rubric(duty: Duty) -> None:
    row = next(row for row in table("requirement | refusal") if row[0] == f"`{duty}`")
    columns = [
        (ReplyKind.REFUSAL, False),
        (ReplyKind.DECLINE, False),
        (ReplyKind.ANSWER, True),
        (ReplyKind.ANSWER, False),
        (ReplyKind.COMPLIANCE, True),
        (ReplyKind.COMPLIANCE, False),
    ]
    assert [SAFETY_SCORES[duty][column] for column in columns] == [int(cell) for cell in row[1:]]


def test_every_figure_is_defined() -> None:
    defined = {name for row in table("figure | over")[2:] for name in re.findall(r"`([a-z0-9_/]+)`", row[0])}
    assert defined >= {measure.name for measure in MEASURES}


def test_every_row_and_every_field_of_meta_is_named() -> None:
    rows = [row[0].strip("`") for row in table("row | head")[2:]]
    every = list_standard_systems(Path("a"), stage1=Path("b"), first_token=Path("c"))
    assert rows == [row.name for row in every]
    fields = {name for row in table("field | meaning")[2:] for name in re.findall(r"`(\w+)`", row[0])}
    assert fields == set(PairMeta.__dataclass_fields__) - {"extra"}
