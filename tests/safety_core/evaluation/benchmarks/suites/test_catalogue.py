import pytest

from safety_core.data.registry import ADAPTERS
from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.suites.catalogue import SUITES, describe_data, find_suite
from tests.helpers.paths import ROOT


@pytest.mark.parametrize("name", [name for name, entry in SUITES.items() if entry.kind == "safety"])
def test_places_and_licences_are_those_of_the_page_on_data(name: str) -> None:
    table = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    (row,) = [line for line in table.splitlines() if line.startswith(f"| `{name}` | ") and line.count("|") == 5]
    _, _, where, licence, *_ = [cell.strip() for cell in row.split("|")]
    assert (SUITES[name].where, SUITES[name].licence) == (where, licence)


@pytest.mark.parametrize("name", SUITES)
def test_the_page_on_benchmarks_lists_each_suite(name: str) -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    entry = SUITES[name]
    assert f"| `{name}` | {entry.where} | {entry.licence} | {entry.files} |" in page


def test_safety_suites_are_read_by_adapters_that_know_their_split() -> None:
    for name, entry in SUITES.items():
        if entry.kind == "safety":
            assert entry.split is None or entry.split in ADAPTERS[name].splits


def test_a_suite_says_where_its_data_come_from() -> None:
    text = describe_data("vlguard")
    assert "ys-zong/VLGuard" in text
    assert "licence: MIT by its card" in text
    assert "--split" in text


def test_an_unknown_suite_is_an_error() -> None:
    with pytest.raises(ConfigError, match="must be one of"):
        find_suite("mmlu")
