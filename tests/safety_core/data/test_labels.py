import pytest

from safety_core.data.labels import LabelTable, list_labels, parse_labels, parse_level
from safety_core.data.samples import RiskLabel
from safety_core.errors import ConfigError
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy


def test_labels_are_read_strictly() -> None:
    assert parse_labels({"odd": ["odd", 1]}) == {"odd": ("odd", 1)}
    for wrong in ("odd", ["odd"], ["odd", True], [1, 1]):
        with pytest.raises(ConfigError, match=r"labels\.odd"):
            parse_labels({"odd": wrong})


def test_a_category_falls_back_to_its_group_and_case_does_not_matter() -> None:
    table = LabelTable({"hate": ("fairness", 2), "hate/harassment": ("insults_bullying", 2)}, {}, DEFAULT_TAXONOMY)
    assert table.find_label("Hate/Race") == RiskLabel(type=3, level=2)
    assert table.find_label("hate/HARASSMENT") == RiskLabel(type=2, level=2)
    assert not table.has_label("other/race")


def test_a_stated_level_replaces_the_tables_and_makes_a_type_enough() -> None:
    taxonomy = Taxonomy(types=("fine", "spam"), levels=("ok", "block"), safe_type="fine")
    table = LabelTable({"advert": ("spam", 0)}, {}, taxonomy)
    assert table.find_label("advert", 1) == RiskLabel(type=1, level=1)
    assert table.find_label("spam", 1) == RiskLabel(type=1, level=1)
    with pytest.raises(ConfigError, match="'spam' has no label"):
        table.find_label("spam")


@pytest.mark.parametrize(("given", "level"), [(3, 3), ("3", 3), (" 2 ", 2), ("caution", 1), ("safe", 0)])
def test_levels_are_read_by_number_and_name(given: int | str, level: int) -> None:
    assert parse_level(given, DEFAULT_TAXONOMY) == level


@pytest.mark.parametrize("given", [4, "-1", "high", "", "1.5"])
def test_other_levels_are_errors_that_do_not_quote_them(given: int | str) -> None:
    with pytest.raises(ValueError, match=r"^a level from 0 to 3, or one of \['safe', .*\], is needed$"):
        parse_level(given, DEFAULT_TAXONOMY)


def test_labels_are_listed_with_their_categories() -> None:
    labels = {"a": ("illegal", 3), "b": ("safe", 0), "c": ("illegal", 3)}
    assert list_labels(labels) == [(("illegal", 3), ["a", "c"]), (("safe", 0), ["b"])]
