"""Correct answers derived from a scene and the text of a question, independently of the grammar's own code."""

import re
from collections import Counter
from collections.abc import Iterable

from safety_core.nano.language.wordings import ABOUT_PICTURES, HOW_TO, RISKY_TALK, TALK, TRUE_TALK
from safety_core.nano.world.scene import SHAPES, PlacedItem, Scene
from safety_core.nano.world.things import THINGS

ROWS, COLUMNS = ("top", "", "bottom"), ("left", "", "right")
COUNTED = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLURALS = {thing.name: thing.plural for thing in THINGS} | {shape: f"{shape}s" for shape in SHAPES}
SINGULARS = {many: name for name, many in PLURALS.items()}
RELATIONS = ("left", "above", "more")
WORDED = (*ABOUT_PICTURES.values(), *(one for one, _ in TALK.values()), *RISKY_TALK.values(), TRUE_TALK, HOW_TO)
"""The wordings of every kind of prompt inside the grammar."""

_DRESS = re.compile(r"(?:please |hey, |now )?(.*?)(?: please| for me|, thanks)?[?.!]?")


def name_cell(cell: int) -> str:
    """Name of a cell."""
    return " ".join(filter(None, (ROWS[cell // 3], COLUMNS[cell % 3]))) or "middle"


def add_article(name: str) -> str:
    """A name with its article."""
    return f"an {name}" if name.startswith(("a", "e", "i", "o", "u")) else f"a {name}"


def strip_politeness(text: str) -> str:
    """A prompt without politeness, capitals and punctuation."""
    found = _DRESS.fullmatch(text.lower())
    assert found is not None
    return found[1]


def parse_slots(kind: str, text: str) -> dict[str, str] | None:
    """The slots of a question of a kind; None if the text is not a question of that kind."""
    wordings = (*ABOUT_PICTURES[kind].trained, *ABOUT_PICTURES[kind].held_out)
    found = [
        match.groupdict()
        for match in (_compile_pattern(one).fullmatch(strip_politeness(text)) for one in wordings)
        if match
    ]
    assert len({tuple(one.items()) for one in found}) <= 1, f"{text!r} can be read in two ways"
    return found[0] if found else None


def require_slots(kind: str, text: str) -> dict[str, str]:
    """The slots of a question of a kind; fails if the text is not of that kind."""
    found = parse_slots(kind, text)
    assert found is not None, f"{text!r} is no question of kind {kind}"
    return found


def derive_answer(kind: str, scene: Scene, text: str) -> str:
    """The only correct answer to a question about things or lettering in a scene."""
    match kind:
        case "what":
            (item,) = (one for one in scene.items if name_cell(one.cell) == require_slots(kind, text)["cell"])
            return f"It is {add_article(name_item(item))}."
        case "where":
            name = require_slots(kind, text)["thing"]
            return f"The {name} is at the {name_cell(find_single_item(scene, name).cell)}."
        case "count":
            name = SINGULARS[require_slots(kind, text)["things"]]
            count = len(find_items(scene, name))
            return f"There is one {name}." if count == 1 else f"There are {COUNTED[count]} {PLURALS[name]}."
        case "exists":
            name = require_slots(kind, text)["thing"]
            return f"Yes, there is {add_article(name)}." if find_items(scene, name) else f"No, there is no {name}."
        case "colour":
            part = require_slots(kind, text)["part"]
            return f"The {part} is {find_colour(scene, part)}."
        case "read":
            require_slots(kind, text)
            words = read_lettering(scene)
            return f"It says: {' '.join(words)}." if words else "There is nothing written."
        case "compare":
            return _derive_comparison(scene, text)
        case "find":
            names = require_slots(kind, text)["list"].split(", ")
            return ", ".join(f"{name} {name_cell(find_single_item(scene, name).cell)}" for name in names) + "."
        case "check":
            names = require_slots(kind, text)["list"].split(", ")
            return ", ".join(f"{name} {'yes' if find_items(scene, name) else 'no'}" for name in names) + "."
        case "tally":
            names = require_slots(kind, text)["list"].split(", ")
            return ", ".join(f"{many} {COUNTED[len(find_items(scene, SINGULARS[many]))]}" for many in names) + "."
        case "cells":
            there = {name_cell(item.cell): add_article(name_item(item)) for item in scene.items}
            parts = [[there.get(name_cell(3 * row + column), "nothing") for column in range(3)] for row in range(3)]
            top, middle, bottom = (", ".join(row) for row in parts)
            return f"Top: {top}. Middle: {middle}. Bottom: {bottom}."
        case "places":
            ordered = sorted(scene.items, key=lambda item: item.cell)
            return (
                "There is "
                + ", ".join(f"{add_article(name_item(item))} at the {name_cell(item.cell)}" for item in ordered)
                + "."
            )
    raise AssertionError(f"{kind} has no one right answer")


def parse_description(text: str) -> tuple[Counter[str], str, tuple[str, ...]]:
    """The number of things of each name, the background and the lettering in a description."""
    found = re.fullmatch(r"A picture of (?:(.*) on )?an? (\w+) background\.(?: It says: (.*)\.)?", text)
    assert found is not None, text
    things: Counter[str] = Counter()
    for part in re.split(r", | and ", found[1]) if found[1] not in (None, "writing") else ():
        number, *colours, name = part.split()
        count = 1 if number in ("a", "an") else COUNTED.index(number)
        things[" ".join((*colours, name if count == 1 else SINGULARS[name]))] = count
    return things, found[2], tuple(found[3].split()) if found[3] else ()


def name_item(item: PlacedItem) -> str:
    """A thing's name, a shape's with its colour."""
    return item.name if item.colour is None else f"{item.colour} {item.name}"


def find_items(scene: Scene, name: str) -> list[PlacedItem]:
    """All items of a name."""
    return [item for item in scene.items if item.name == name]


def find_single_item(scene: Scene, name: str) -> PlacedItem:
    """The only item of a name; fails if there are several."""
    (item,) = find_items(scene, name)
    return item


def find_colour(scene: Scene, part: str) -> str | None:
    """Colour of a part of a scene."""
    if part == "background":
        return scene.background
    if part == "writing":
        assert scene.lettering is not None
        return scene.lettering.colour
    return find_single_item(scene, part).colour


def read_lettering(scene: Scene) -> tuple[str, ...]:
    """Words from left to right and from top to bottom, without the numbers of a list."""
    lines: Iterable[tuple[str, ...]] = () if scene.lettering is None else scene.lettering.lines
    return tuple(word for line in lines for word in line if not re.fullmatch(r"\d\.", word))


def _derive_comparison(scene: Scene, text: str) -> str:
    relation, found = next((one, found) for one in RELATIONS if (found := parse_slots(one, text)) is not None)
    if relation == "more":
        names = SINGULARS[found["things"]], SINGULARS[found["others"]]
        counts = [len(find_items(scene, name)) for name in names]
        holds = counts[0] > counts[1]
        assert counts[0] != counts[1], "neither is more"
        told = " and ".join(
            f"{COUNTED[count]} {name if count == 1 else PLURALS[name]}"
            for name, count in zip(names, counts, strict=True)
        )
        return f"There are {told}, so {'yes' if holds else 'no'}."
    one, other = found["thing"], found["other"]
    first, second = find_single_item(scene, one).cell, find_single_item(scene, other).cell
    if relation == "left":
        holds = first % 3 < second % 3
        assert first % 3 != second % 3, "neither stands further left"
    else:
        holds = first // 3 < second // 3
        assert first // 3 != second // 3, "neither stands higher"
    seen = f"The {one} is at the {name_cell(first)} and the {other} is at the {name_cell(second)}"
    return f"{seen}, so {'yes' if holds else 'no'}."


def _compile_pattern(wording: str) -> re.Pattern[str]:
    cells = "|".join(sorted((name_cell(cell) for cell in range(9)), key=len, reverse=True))
    escaped = re.escape(wording).replace(r"\ a\ ", r"\ an?\ ")

    def slot(found: re.Match[str]) -> str:
        pattern = {"cell": cells, "list": "[a-z]+(?:, [a-z]+)*"}.get(found[1], "[a-z]+")
        return f"(?P<{found[1]}>{pattern})"

    return re.compile(re.sub(r"\\{(\w+)\\}", slot, escaped))
