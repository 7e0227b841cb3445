from safety_core.small.evaluation.items.selection import choose_by_key, choose_records, choose_text
from tests.helpers.datasets.real_items import make_record


def test_one_record_of_each_group_comes_first_whatever_the_order() -> None:
    records = [make_record("s", f"{n}", group=f"g{n % 3}") for n in range(12)]
    chosen = choose_records(records, 3)
    assert {record.group for record in chosen} == {"g0", "g1", "g2"}
    assert choose_records(records[::-1], 3) == chosen
    assert len(choose_records(records, 100)) == 12


def test_another_purpose_gives_another_choice() -> None:
    records = [make_record("s", f"{n}") for n in range(50)]
    assert choose_records(records, 5, purpose="a") != choose_records(records, 5, purpose="b")


def test_each_key_has_a_limit_of_its_own() -> None:
    records = [make_record(source, f"{n}") for source in "ab" for n in range(9)]
    chosen = choose_by_key(records, lambda record: record.source, {"a": 2}, 4)
    assert [record.source for record in chosen] == ["a", "a", "b", "b", "b", "b"]


def test_a_key_gets_the_same_text_again() -> None:
    texts = tuple("abcdefgh")
    assert choose_text(texts, "k") == choose_text(texts, "k")
    assert len({choose_text(texts, f"{n}") for n in range(100)}) == len(texts)
