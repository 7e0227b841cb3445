"""Questions about what a scene shows, with the answers of a model without safety modules.

Knows nothing of drawing, risk or models.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from safety_core.nano.language.descriptions import (
    NUMBERS,
    add_article,
    count_things,
    describe,
    get_plural,
    name_item,
    read_lettering,
)
from safety_core.nano.language.questions import Asker, Question
from safety_core.nano.language.wordings import ABOUT_PICTURES
from safety_core.nano.world.scene import CELLS, PlacedItem, Scene
from safety_core.nano.world.things import THINGS


def ask_for_description(asker: Asker, scene: Scene) -> Question:
    """Ask for a description of the whole scene."""
    answer, names = describe(scene)
    return Question(
        text=asker.phrase(ABOUT_PICTURES["describe"]), intent="look", kind="describe", answer=answer, things=names
    )


def ask_what(asker: Asker, scene: Scene) -> Question | None:
    """Ask what lies in one cell."""
    if not scene.items:
        return None
    index = asker.rng.randrange(len(scene.items))
    cell = CELLS[scene.items[index].cell]
    return Question(
        text=asker.phrase(ABOUT_PICTURES["what"], cell=cell),
        intent="look",
        kind="what",
        answer=f"It is {add_article(name_item(scene, index))}.",
    )


def ask_where(asker: Asker, scene: Scene) -> Question | None:
    """Ask for the cell of one thing."""
    counts = Counter(item.name for item in scene.items)
    single = [item for item in scene.items if counts[item.name] == 1]
    if not single:
        return None
    item = asker.rng.choice(single)
    return Question(
        text=asker.phrase(ABOUT_PICTURES["where"], thing=item.name),
        intent="look",
        kind="where",
        answer=f"The {item.name} is at the {CELLS[item.cell]}.",
    )


def ask_for_cells(asker: Asker, scene: Scene) -> Question | None:
    """Ask for the content of every cell in reading order; with nine answers, this question teaches places fastest."""
    if not scene.items or scene.lettering is not None:
        return None
    held = {item.cell: add_article(name_item(scene, index)) for index, item in enumerate(scene.items)}
    rows = [", ".join(held.get(3 * row + column, "nothing") for column in range(3)) for row in range(3)]
    answer = " ".join(f"{name}: {row}." for name, row in zip(("Top", "Middle", "Bottom"), rows, strict=True))
    return Question(text=asker.phrase(ABOUT_PICTURES["cells"]), intent="look", kind="cells", answer=answer)


def ask_for_places(asker: Asker, scene: Scene) -> Question | None:
    """Ask for every thing with its cell."""
    if not scene.items:
        return None
    order = sorted(range(len(scene.items)), key=lambda index: scene.items[index].cell)
    places = [f"{add_article(name_item(scene, index))} at the {CELLS[scene.items[index].cell]}" for index in order]
    answer = f"There is {', '.join(places)}."
    return Question(text=asker.phrase(ABOUT_PICTURES["places"]), intent="look", kind="places", answer=answer)


def ask_to_find(asker: Asker, scene: Scene) -> Question | None:
    """Ask for the cells of several things; in the answer each cell directly follows the name of its thing."""
    counts = Counter(item.name for item in scene.items)
    cells = {item.name: CELLS[item.cell] for item in scene.items if counts[item.name] == 1}
    if not cells:
        return None
    names = asker.rng.sample(list(cells), min(len(cells), 4))
    return _create_list_question(asker, "find", names, [f"{name} {cells[name]}" for name in names])


def ask_to_check(asker: Asker, scene: Scene) -> Question:
    """Ask whether each of several things is present; as many absent things are named as present ones."""
    present = list(dict.fromkeys(item.name for item in scene.items))
    names = asker.rng.sample(present, min(len(present), asker.rng.randint(1, 2)))
    names = _add_absent_names(asker, scene, names, max(1, len(names)))
    return _create_list_question(
        asker, "check", names, [f"{name} {'yes' if name in present else 'no'}" for name in names]
    )


def ask_to_tally(asker: Asker, scene: Scene) -> Question:
    """Ask for the numbers of several things, one of which is absent."""
    counts = Counter(item.name for item in scene.items)
    names = _add_absent_names(asker, scene, asker.rng.sample(list(counts), min(len(counts), 3)), 1)
    return _create_list_question(
        asker, "tally", [get_plural(name) for name in names], [f"{get_plural(n)} {NUMBERS[counts[n]]}" for n in names]
    )


def ask_to_count(asker: Asker, scene: Scene) -> Question | None:
    """Ask for the number of one thing."""
    counts = Counter(item.name for item in scene.items)
    # One question in six is about an absent thing; without things in the scene, every question is.
    name = asker.rng.choice(list(counts)) if counts and asker.rng.random() > 0.17 else _choose_absent_name(asker, scene)
    number = counts[name]
    return Question(
        text=asker.phrase(ABOUT_PICTURES["count"], things=get_plural(name)),
        intent="look",
        kind="count",
        answer=f"There is one {name}." if number == 1 else f"There are {NUMBERS[number]} {get_plural(name)}.",
    )


def ask_whether_present(asker: Asker, scene: Scene) -> Question | None:
    """Ask whether one thing is present."""
    present = [item.name for item in scene.items]
    # Without things the answer is always no; fewer such questions keep yes and no balanced.
    if not present and asker.rng.random() > 0.15:
        return None
    yes = bool(present) and asker.rng.random() < 0.5
    name = asker.rng.choice(present) if yes else _choose_absent_name(asker, scene)
    return Question(
        text=asker.phrase(ABOUT_PICTURES["exists"], thing=name),
        intent="look",
        kind="exists",
        answer=f"Yes, there is {add_article(name)}." if yes else f"No, there is no {name}.",
    )


def ask_for_colour(asker: Asker, scene: Scene) -> Question:
    """Ask for the colour of the background, of a shape or of the lettering."""
    counts = Counter(item.name for item in scene.items)
    options = {"background": scene.background}
    options |= {item.name: item.colour for item in scene.items if item.colour and counts[item.name] == 1}
    if scene.lettering is not None:
        options["writing"] = scene.lettering.colour
    part = asker.rng.choice(list(options))
    return Question(
        text=asker.phrase(ABOUT_PICTURES["colour"], part=part),
        intent="look",
        kind="colour",
        answer=f"The {part} is {options[part]}.",
    )


def ask_to_read(asker: Asker, scene: Scene) -> Question:
    """Ask for the words of the lettering."""
    text = read_lettering(scene)
    return Question(
        text=asker.phrase(ABOUT_PICTURES["read"]),
        intent="read",
        kind="read",
        answer=f"It says: {text}." if text else "There is nothing written.",
    )


def ask_to_compare(asker: Asker, scene: Scene) -> Question | None:
    """Ask which of two things is further left, further up or more numerous."""
    counts = Counter(item.name for item in scene.items)
    single = [item for item in scene.items if counts[item.name] == 1]
    options = _list_comparisons(single, counts)
    if not options:
        return None
    relation = asker.rng.choice(sorted({option[0] for option in options}))
    truth = asker.rng.random() < 0.5
    fitting = [option for option in options if option[0] == relation and option[3] == truth]
    _, one_name, other_name, _ = asker.rng.choice(fitting)
    # The answer states the compared facts first, so that the conclusion follows from words and is not a guess.
    if relation == "more":
        text = asker.phrase(ABOUT_PICTURES["more"], things=get_plural(one_name), others=get_plural(other_name))
        found = f"There are {count_things(one_name, counts)} and {count_things(other_name, counts)}"
    else:
        text = asker.phrase(ABOUT_PICTURES[relation], thing=one_name, other=other_name)
        cells = {item.name: CELLS[item.cell] for item in single}
        found = f"The {one_name} is at the {cells[one_name]} and the {other_name} is at the {cells[other_name]}"
    answer = f"{found}, so {'yes' if truth else 'no'}."
    return Question(text=text, intent="look", kind="compare", answer=answer)


def _list_comparisons(single: Sequence[PlacedItem], counts: Counter[str]) -> list[tuple[str, str, str, bool]]:
    """List the unambiguous comparisons of a scene: relation, first name, second name, whether the relation holds."""
    options: list[tuple[str, str, str, bool]] = []
    for one in single:
        for other in single:
            if one.cell % 3 != other.cell % 3:
                options.append(("left", one.name, other.name, one.cell % 3 < other.cell % 3))
            if one.cell // 3 != other.cell // 3:
                options.append(("above", one.name, other.name, one.cell // 3 < other.cell // 3))
    for one_name in counts:
        for other_name in counts:
            if counts[one_name] != counts[other_name]:
                options.append(("more", one_name, other_name, counts[one_name] > counts[other_name]))
    return options


def _add_absent_names(asker: Asker, scene: Scene, names: list[str], count: int) -> list[str]:
    absent: set[str] = set()
    while len(absent) < count:
        absent.add(_choose_absent_name(asker, scene))
    mixed = [*names, *sorted(absent)]
    asker.rng.shuffle(mixed)
    return mixed


def _choose_absent_name(asker: Asker, scene: Scene) -> str:
    present = {item.name for item in scene.items}
    while True:
        name = asker.rng.choice(THINGS).name
        if name not in present:
            return name


def _create_list_question(asker: Asker, kind: str, names: list[str], answers: list[str]) -> Question:
    text = asker.phrase(ABOUT_PICTURES[kind], list=", ".join(names))
    return Question(text=text, intent="look", kind=kind, answer=f"{', '.join(answers)}.")


ASK_BY_KIND: Mapping[str, Callable[[Asker, Scene], Question | None]] = {
    "describe": ask_for_description,
    "what": ask_what,
    "where": ask_where,
    "cells": ask_for_cells,
    "places": ask_for_places,
    "find": ask_to_find,
    "check": ask_to_check,
    "tally": ask_to_tally,
    "count": ask_to_count,
    "exists": ask_whether_present,
    "colour": ask_for_colour,
    "read": ask_to_read,
    "compare": ask_to_compare,
}
"""Kind of question → function that asks it about a scene; it returns None if the answer would be ambiguous."""
