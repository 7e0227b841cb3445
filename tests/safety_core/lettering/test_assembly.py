"""Which texts are judged of the lettering of one picture."""

import pytest

from safety_core.inputs.text.folding import fold_text
from safety_core.inputs.text.lexicon import load_english
from safety_core.lettering.assembly import MAX_VARIANTS, Assembler, Form, group_rows, join_hyphenated


@pytest.fixture
def assembler() -> Assembler:
    return Assembler(load_english, lambda text: fold_text(text).whole)


def list_texts(assembler: Assembler, rows: list[str], across: list[str] | None = None) -> list[str]:
    return [variant.text for variant in assembler.list_variants(rows, across or [])]


def test_a_plain_sentence_is_judged_once(assembler: Assembler) -> None:
    assert list_texts(assembler, ["Wash your hands", "and dry them."]) == ["Wash your hands and dry them."]
    assert list_texts(assembler, []) == []


def test_lost_spaces_and_capitals_give_a_plain_variant(assembler: Assembler) -> None:
    assert list_texts(assembler, ["WASHYOUR HANDS"]) == ["WASHYOUR HANDS", "Wash your hands"]
    assert list_texts(assembler, ["washyour hands"]) == ["washyour hands", "wash your hands"]
    assert list_texts(assembler, ["Ask Mr Smith"]) == ["Ask Mr Smith"]


def test_disguises_are_undone(assembler: Assembler) -> None:
    assert list_texts(assembler, ["P1ea5e c4ll the 0ffice"]) == ["P1ea5e c4ll the 0ffice", "please call the office"]


def test_hyphenated_words_are_joined() -> None:
    assert join_hyphenated(["Bake for fifty min-", "utes or until", "brown"]) == [
        "Bake for fifty minutes",
        "or until",
        "brown",
    ]
    assert join_hyphenated(["fif-", "ty"]) == ["fifty"]
    assert join_hyphenated(["an A-", "level", "x -", "y", "self-", "Service"]) == [
        "an A-",
        "level",
        "x -",
        "y",
        "self-",
        "Service",
    ]


def test_both_orders_of_columns_are_judged(assembler: Assembler) -> None:
    assert list_texts(assembler, ["red", "apple", "green", "pear"], ["red green", "apple pear"]) == [
        "red apple green pear",
        "red green apple pear",
    ]


def test_long_lettering_is_also_judged_in_parts_and_points_of_a_list_stay_whole(assembler: Assembler) -> None:
    rows = [
        "Things to do in the garden",
        "1. Water the roses early in the morning",
        "before the sun is high above the trees",
        "2. Cut the grass as soon as it is dry",
        "and rake the leaves into a heap",
        "3. Wash the tools and put them back",
        "into the shed behind the house",
    ]
    whole, *parts = assembler.list_variants(rows)
    assert whole.text == " ".join(rows)
    assert " ".join(part.text for part in parts) == whole.text
    assert parts[1].text == "2. Cut the grass as soon as it is dry and rake the leaves into a heap"
    # Each word is judged in every form, once in the whole and once in a part.
    assert whole.forms == Form.FRAMED | Form.WITH_PROMPT
    assert {part.forms for part in parts} == {Form.BARE | Form.WITH_PROMPT}
    assert assembler.list_variants(rows, with_parts=False) == [whole]


def test_short_lettering_is_judged_in_every_form(assembler: Assembler) -> None:
    variants = assembler.list_variants(["WASHYOUR HANDS"])
    assert {variant.forms for variant in variants} == {Form.FRAMED | Form.BARE | Form.WITH_PROMPT}


def test_the_number_of_texts_and_their_length_are_bounded(assembler: Assembler) -> None:
    for count in (2, 200):
        rows = [f"P0INT {index} washyour hands and c4ll the office at n00n" for index in range(count)]
        variants = assembler.list_variants(rows, list(reversed(rows)))
        texts = [variant.text for variant in variants]
        assert len(texts) == len(set(texts)) <= MAX_VARIANTS
    characters = sum(len(variant.text) * len(variant.forms) for variant in variants)
    assert characters < 8 * len(" ".join(rows))


@pytest.mark.parametrize(("rows", "count"), [([], 3), (["a"], 3), (["a", "b", "c"], 2), ([""], 2), (["x"] * 9, 4)])
def test_groups_lose_no_row(rows: list[str], count: int) -> None:
    groups = group_rows(rows, count)
    assert len(groups) <= count
    assert " ".join(groups).split() == " ".join(rows).split()
