from safety_core.data.reporting.comparison import Item
from safety_core.data.reporting.overlaps import find_contradictions, summarize_overlaps

ITEMS = [Item(0, 1, 7), Item(0, 2, 7), Item(0, 3, 8), Item(1, 1, 7), Item(1, 2, 9), Item(2, 5, 9), Item(2, 6, 9)]


def test_items_are_counted_within_and_between_files() -> None:
    overlaps = summarize_overlaps(ITEMS)
    assert overlaps.items == 7
    assert [(one.file, one.groups, one.items) for one in overlaps.within] == [(0, 1, 2), (2, 1, 2)]
    assert [(one.files, one.items) for one in overlaps.between] == [((0, 1), (2, 1)), ((1, 2), (1, 2))]


def test_places_are_named_in_the_json_form() -> None:
    document = summarize_overlaps(ITEMS).to_dict(["a.jsonl", "b.jsonl", "c.jsonl"])
    assert document["within"][0] == {
        "file": "a.jsonl",
        "groups": 1,
        "items": 2,
        "examples": [["a.jsonl:1", "a.jsonl:2"]],
    }
    assert document["between"][1] == {
        "files": ["b.jsonl", "c.jsonl"],
        "items": [1, 2],
        "examples": [["b.jsonl:2", "c.jsonl:5"]],
    }


def test_nothing_alike_gives_no_rows() -> None:
    overlaps = summarize_overlaps([Item(0, 1, 1), Item(1, 1, 2)])
    assert (overlaps.within, overlaps.between) == ([], [])


def test_a_contradiction_is_a_group_with_different_labels() -> None:
    records = [Item(0, 1, 7), Item(0, 2, 7), Item(1, 3, 7), Item(1, 4, 8), Item(1, 5, 8)]
    assert find_contradictions(records, [(1, 3), (1, 3), (6, 0), (1, 3), (1, 3)]) == [[(0, 1), (1, 3)]]
    assert find_contradictions(records, [(1, 3), None, None, (1, 1), (1, 3)]) == [[(1, 4), (1, 5)]]
