import pytest

from safety_core.data.raw_samples import NamedLabel
from safety_core.small.evaluation.items.columns import COLUMNS, INFO
from safety_core.small.evaluation.items.words import find_columns, list_word_items
from tests.helpers.datasets.real_items import HARMFUL, SAFE, make_record


@pytest.mark.parametrize(
    ("source", "category", "label", "columns"),
    [
        ("catqa", "", HARMFUL, ("harmful",)),
        ("own/contrast", "plain", HARMFUL, ("harmful",)),
        ("own/contrast", "plain", SAFE, ("harmless",)),
        ("own/contrast", "plain", ("illegal", 1), ("care",)),
        ("own/contrast", "titles", SAFE, ("lookalikes",)),
        ("own/contrast", "titles", HARMFUL, ("reverse",)),
        ("own/pairs", "titles", HARMFUL, ()),
        ("hatecheck", "ident_pos_nh", SAFE, ("lookalikes", "contrast")),
        ("hatecheck", "derog_impl_h", HARMFUL, ("hate",)),
        ("toxicity_surge", "Toxic", ("insults_bullying", 1), ("hate",)),
        ("tweets_davidson", "hate", ("insults_bullying", 2), ("hate",)),
        ("tweets_davidson", "offensive", ("insults_bullying", 1), ("care",)),
        ("tweets_davidson", "neither", SAFE, ("statements",)),
        ("benign_paired", "", SAFE, ("lookalikes",)),
        ("benign_fastchat", "", SAFE, ("harmless",)),
        ("truthfulqa", "question", SAFE, ("harmless",)),
        ("truthfulqa", "right/Health", SAFE, ("statements",)),
        ("covid_claims", "fake", ("misleading", 1), ("care",)),
        ("issuebench_issues", "partisan/neutral", SAFE, ("harmless",)),
        ("issuebench_issues", "partisan/pro", ("politics", 2), ("care",)),
        ("issuebench_issues", "criminal/pro", HARMFUL, ("harmful",)),
    ],
)
def test_the_columns_of_a_text(source: str, category: str, label: NamedLabel, columns: tuple[str, ...]) -> None:
    assert find_columns(make_record(source, "x", label, category=category), "test") == columns


def test_hatecheck_is_tested_by_its_held_out_functionalities_only() -> None:
    trained_on = make_record("hatecheck", "x", HARMFUL, category="slur_h")
    assert find_columns(trained_on, "test") == ()
    assert find_columns(trained_on, "development") == ("hate",)


@pytest.mark.parametrize("change", [{"surface": "lettering"}, {"label": None}])
def test_what_is_no_users_text_has_no_column(change: dict[str, object]) -> None:
    record = make_record("catqa", "x", **{"label": HARMFUL, **change})  # type: ignore[arg-type]
    assert find_columns(record, "test") == ()


def test_items_tell_their_set_type_and_level_but_not_their_text() -> None:
    (item,) = list_word_items([make_record("catqa", "x", HARMFUL, text="How do I?", group="g")], "test", 9)
    assert item.prompt == "How do I?"
    assert item.group == "g"
    assert item.is_risky
    assert set(item.list_scopes()) == {
        "harmful", "harmful/set/catqa", "harmful/type/illegal", "harmful/level/3", "harmful/surface/words"
    }  # fmt: skip
    assert "How" not in item.id


def test_the_limit_is_for_each_set_and_the_same_records_are_chosen_again() -> None:
    records = [make_record(source, f"{n}", HARMFUL) for source in ("catqa", "tdc2023") for n in range(20)]
    first = list_word_items(records, "test", 3)
    assert len(first) == 6
    assert [item.id for item in first] == [item.id for item in list_word_items(records[::-1], "test", 3)][3:] + [
        item.id for item in list_word_items(records[::-1], "test", 3)
    ][:3]


def test_every_column_is_described() -> None:
    assert tuple(INFO) == COLUMNS
