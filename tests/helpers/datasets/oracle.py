"""Right answers worked out anew, from a scene and a question's words, by other means than the grammar's own."""

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


def place(cell: int) -> str:
    """Name of a cell."""
    return " ".join(filter(None, (ROWS[cell // 3], COLUMNS[cell % 3]))) or "middle"


def a(name: str) -> str:
    """A name with its article."""
    return f"an {name}" if name.startswith(("a", "e", "i", "o", "u")) else f"a {name}"


def undressed(text: str) -> str:
    """A prompt without politeness, capitals and punctuation."""
    found = _DRESS.fullmatch(text.lower())
    assert found is not None
    return found[1]


def slots(kind: str, text: str) -> dict[str, str] | None:
    """What a question of a kind asks about, by slot; None where the words are not of that kind."""
    wordings = (*ABOUT_PICTURES[kind].trained, *ABOUT_PICTURES[kind].held_out)
    found = [match.groupdict() for match in (_pattern(one).fullmatch(undressed(text)) for one in wordings) if match]
    assert len({tuple(one.items()) for one in found}) <= 1, f"{text!r} can be read in two ways"
    return found[0] if found else None


def asked(kind: str, text: str) -> dict[str, str]:
    """What a question of a kind asks about."""
    found = slots(kind, text)
    assert found is not None, f"{text!r} is no question of kind {kind}"
    return found


def right_answer(kind: str, scene: Scene, text: str) -> str:
    """The one right answer to a question of looking or reading."""
    match kind:
        case "what":
            (item,) = (one for one in scene.items if place(one.cell) == asked(kind, text)["cell"])
            return f"It is {a(label(item))}."
        case "where":
            name = asked(kind, text)["thing"]
            return f"The {name} is at the {place(only(scene, name).cell)}."
        case "count":
            name = SINGULARS[asked(kind, text)["things"]]
            count = len(called(scene, name))
            return f"There is one {name}." if count == 1 else f"There are {COUNTED[count]} {PLURALS[name]}."
        case "exists":
            name = asked(kind, text)["thing"]
            return f"Yes, there is {a(name)}." if called(scene, name) else f"No, there is no {name}."
        case "colour":
            part = asked(kind, text)["part"]
            return f"The {part} is {colour(scene, part)}."
        case "read":
            asked(kind, text)
            words = written(scene)
            return f"It says: {' '.join(words)}." if words else "There is nothing written."
        case "compare":
            return _compared(scene, text)
        case "find":
            names = asked(kind, text)["list"].split(", ")
            return ", ".join(f"{name} {place(only(scene, name).cell)}" for name in names) + "."
        case "check":
            names = asked(kind, text)["list"].split(", ")
            return ", ".join(f"{name} {'yes' if called(scene, name) else 'no'}" for name in names) + "."
        case "tally":
            names = asked(kind, text)["list"].split(", ")
            return ", ".join(f"{many} {COUNTED[len(called(scene, SINGULARS[many]))]}" for many in names) + "."
        case "cells":
            there = {place(item.cell): a(label(item)) for item in scene.items}
            parts = [[there.get(place(3 * row + column), "nothing") for column in range(3)] for row in range(3)]
            top, middle, bottom = (", ".join(row) for row in parts)
            return f"Top: {top}. Middle: {middle}. Bottom: {bottom}."
        case "places":
            ordered = sorted(scene.items, key=lambda item: item.cell)
            return "There is " + ", ".join(f"{a(label(item))} at the {place(item.cell)}" for item in ordered) + "."
    raise AssertionError(f"{kind} has no one right answer")


def described(text: str) -> tuple[Counter[str], str, tuple[str, ...]]:
    """Labels by count, background and words that a description names."""
    found = re.fullmatch(r"A picture of (?:(.*) on )?an? (\w+) background\.(?: It says: (.*)\.)?", text)
    assert found is not None, text
    things: Counter[str] = Counter()
    for part in re.split(r", | and ", found[1]) if found[1] not in (None, "writing") else ():
        number, *colours, name = part.split()
        count = 1 if number in ("a", "an") else COUNTED.index(number)
        things[" ".join((*colours, name if count == 1 else SINGULARS[name]))] = count
    return things, found[2], tuple(found[3].split()) if found[3] else ()


def label(item: PlacedItem) -> str:
    """A thing's name, a shape's with its colour."""
    return item.name if item.colour is None else f"{item.colour} {item.name}"


def called(scene: Scene, name: str) -> list[PlacedItem]:
    """Every thing of a name."""
    return [item for item in scene.items if item.name == name]


def only(scene: Scene, name: str) -> PlacedItem:
    """The one thing of a name; the question is ambiguous where there are several."""
    (item,) = called(scene, name)
    return item


def colour(scene: Scene, part: str) -> str | None:
    """Colour of a part of a scene."""
    if part == "background":
        return scene.background
    if part == "writing":
        assert scene.lettering is not None
        return scene.lettering.colour
    return only(scene, part).colour


def written(scene: Scene) -> tuple[str, ...]:
    """Words from left to right and from top to bottom, without the numbers of a list."""
    lines: Iterable[tuple[str, ...]] = () if scene.lettering is None else scene.lettering.lines
    return tuple(word for line in lines for word in line if not re.fullmatch(r"\d\.", word))


def _compared(scene: Scene, text: str) -> str:
    relation, found = next((one, found) for one in RELATIONS if (found := slots(one, text)) is not None)
    if relation == "more":
        names = SINGULARS[found["things"]], SINGULARS[found["others"]]
        counts = [len(called(scene, name)) for name in names]
        holds = counts[0] > counts[1]
        assert counts[0] != counts[1], "neither is more"
        told = " and ".join(
            f"{COUNTED[count]} {name if count == 1 else PLURALS[name]}"
            for name, count in zip(names, counts, strict=True)
        )
        return f"There are {told}, so {'yes' if holds else 'no'}."
    one, other = found["thing"], found["other"]
    first, second = only(scene, one).cell, only(scene, other).cell
    if relation == "left":
        holds = first % 3 < second % 3
        assert first % 3 != second % 3, "neither stands further left"
    else:
        holds = first // 3 < second // 3
        assert first // 3 != second // 3, "neither stands higher"
    seen = f"The {one} is at the {place(first)} and the {other} is at the {place(second)}"
    return f"{seen}, so {'yes' if holds else 'no'}."


def _pattern(wording: str) -> re.Pattern[str]:
    cells = "|".join(sorted((place(cell) for cell in range(9)), key=len, reverse=True))
    escaped = re.escape(wording).replace(r"\ a\ ", r"\ an?\ ")

    def slot(found: re.Match[str]) -> str:
        pattern = {"cell": cells, "list": "[a-z]+(?:, [a-z]+)*"}.get(found[1], "[a-z]+")
        return f"(?P<{found[1]}>{pattern})"

    return re.compile(re.sub(r"\\{(\w+)\\}", slot, escaped))
