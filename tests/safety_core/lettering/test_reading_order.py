"""The order in which people read: top to bottom, left to right, column by column."""

import random

from safety_core.lettering.reading import Line
from safety_core.lettering.reading_order import order_across, order_by_columns


def place(text: str, left: float, top: float, width: float = 0.3, height: float = 0.04) -> Line:
    return Line(text=text, confidence=1.0, box=(left, top, left + width, top + height))


def read(rows: list[tuple[Line, ...]]) -> list[str]:
    return [" ".join(line.text for line in row) for row in rows]


def shuffled(*lines: Line) -> list[Line]:
    mixed = list(lines)
    random.Random(1).shuffle(mixed)
    return mixed


def test_lines_below_each_other() -> None:
    lines = shuffled(*(place(str(index), 0.1, 0.1 * index) for index in range(9)))
    assert read(order_by_columns(lines)) == [str(index) for index in range(9)]
    assert order_by_columns([]) == []


def test_words_beside_each_other_are_a_row_even_if_they_are_not_level() -> None:
    lines = shuffled(place("How", 0.1, 0.11, 0.1), place("to", 0.22, 0.10, 0.1), place("sew", 0.34, 0.115, 0.1))
    assert read(order_by_columns(lines)) == ["How to sew"]


def test_columns_are_read_one_after_the_other_below_their_headline() -> None:
    columns = [
        place(f"{name}{row}", left, 0.2 + 0.06 * row) for name, left in (("a", 0.05), ("b", 0.55)) for row in range(4)
    ]
    lines = shuffled(place("head", 0.05, 0.05, 0.9), place("second", 0.05, 0.12, 0.9), *columns)
    names = [f"{name}{row}" for name in "ab" for row in range(4)]
    assert read(order_by_columns(lines)) == ["head", "second", *names]
    across = [f"a{row} b{row}" for row in range(4)]
    assert read(order_across(lines)) == ["head", "second", *across]
    assert read(order_by_columns([*lines, place("foot", 0.05, 0.6, 0.9)])) == ["head", "second", *names, "foot"]


def test_a_narrow_gap_does_not_make_columns() -> None:
    lines = [
        place(f"{name}{row}", left, 0.2 + 0.06 * row) for name, left in (("a", 0.1), ("b", 0.42)) for row in range(3)
    ]
    assert read(order_by_columns(lines)) == ["a0 b0", "a1 b1", "a2 b2"]


def test_the_width_of_a_gap_is_measured_in_the_pictures_own_shape() -> None:
    lines = [
        place(f"{name}{row}", left, 0.2 + 0.06 * row) for name, left in (("a", 0.1), ("b", 0.45)) for row in range(3)
    ]
    assert read(order_by_columns(lines)) == ["a0 b0", "a1 b1", "a2 b2"]
    assert read(order_by_columns(lines, aspect=3.0)) == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_no_line_is_lost_wherever_it_stands() -> None:
    chance = random.Random(3)
    for count in (1, 5, 60, 256):
        lines = [
            place(
                str(index), chance.random() * 0.8, chance.random() * 0.9, chance.random() * 0.4, chance.random() * 0.1
            )
            for index in range(count)
        ]
        lines.append(place("flat", 0.5, 0.5, 0.0, 0.0))
        for rows in (order_by_columns(lines), order_across(lines)):
            assert sorted(line.text for row in rows for line in row) == sorted(line.text for line in lines)
