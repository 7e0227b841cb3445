from safety_core.small.alignment.naming.kinds import CLASSES, find_kind


def test_positions_have_kinds() -> None:
    assert [find_kind(position) for position in (0, 10, 60, 200, 282, 950)] == [
        "fish",
        "bird",
        "snake",
        "dog",
        "cat",
        "fruit",
    ]


def test_most_things_have_none() -> None:
    assert find_kind(700) == ""
    assert sum(bool(find_kind(position)) for position in range(CLASSES)) < CLASSES // 2
