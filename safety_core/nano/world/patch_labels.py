"""Dense labels of a scene: what lies at the centre of each patch. They train the vision tower."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from safety_core.nano.world.lettering import find_pivot, measure_text_width, place_lines
from safety_core.nano.world.scene import (
    BACKGROUNDS,
    CELLS,
    COLOURS,
    GRID,
    LETTERS,
    PATCH,
    SHAPES,
    SIDE,
    Scene,
    compute_item_box,
)
from safety_core.nano.world.things import THINGS
from safety_core.nano.world.vocabulary import VOCABULARY


@dataclass(frozen=True, slots=True)
class PatchLabels:
    """What lies at each patch centre: arrays of shape (GRID * GRID,), 0 for nothing."""

    thing: npt.NDArray[np.int64]
    letter: npt.NDArray[np.int64]
    word: npt.NDArray[np.int64]
    colour: npt.NDArray[np.int64]
    background: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    """Cell of the 3 x 3 grid; the same in every picture."""

    order: npt.NDArray[np.int64]
    """Position of the word in reading order, from 1; the numbers of a list do not count."""

    middle: npt.NDArray[np.int64]
    """1 at the patch of a thing's centre, 2 at the patch of a word's centre."""


THING_CLASSES = ("nothing", *(thing.name for thing in THINGS), *SHAPES)
WORD_CLASSES = ("nothing", *VOCABULARY)
LETTER_CLASSES = ("nothing", *LETTERS)
COLOUR_CLASSES = ("nothing", *COLOURS)
ORDER_CLASSES = ("nothing", *(str(number) for number in range(1, 13)))
MIDDLE_CLASSES = ("nothing", "thing", "word")


_THING_CLASS = {name: index for index, name in enumerate(THING_CLASSES)}
_WORD_CLASS = {word: index for index, word in enumerate(WORD_CLASSES)}
_CENTRES = np.stack(
    np.meshgrid(np.arange(GRID) * PATCH + PATCH / 2, np.arange(GRID) * PATCH + PATCH / 2, indexing="xy"), axis=-1
).reshape(-1, 2)
_PLACES = (_CENTRES[:, 1] * 3 // SIDE * 3 + _CENTRES[:, 0] * 3 // SIDE).astype(np.int64)
assert len(CELLS) == _PLACES.max() + 1


def _find_patch(x: float, y: float) -> int:
    column, row = (min(GRID - 1, max(0, int(value // PATCH))) for value in (x, y))
    return row * GRID + column


def label_patches(scene: Scene) -> PatchLabels:
    """Label the centre of each of the GRID x GRID patches, in reading order."""
    count = GRID * GRID
    thing, letter, word, colour, order, middle = (np.zeros(count, dtype=np.int64) for _ in range(6))
    x, y = _CENTRES[:, 0], _CENTRES[:, 1]
    colours = list(COLOUR_CLASSES)
    for item in scene.items:
        left, top, right, bottom = compute_item_box(item)
        inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        thing[inside] = _THING_CLASS[item.name]
        if item.colour is not None:
            colour[inside] = colours.index(item.colour)
        middle[_find_patch((left + right) / 2, (top + bottom) / 2)] = 1
    block = scene.lettering
    if block is not None:
        pivot_x, pivot_y = find_pivot(block)
        turn = np.deg2rad(block.angle)
        read = 0
        # Undo the tilt: (u, v) is the patch centre before the rotation of the block.
        u = pivot_x + (x - pivot_x) * np.cos(turn) - (y - pivot_y) * np.sin(turn)
        v = pivot_y + (x - pivot_x) * np.sin(turn) + (y - pivot_y) * np.cos(turn)
        for row, (line_left, line_top, _) in enumerate(place_lines(block)):
            on_line = (v >= line_top) & (v < line_top + block.line_height)
            # Undo slant and narrowing: position of the patch centre along the line, in widths of the typeface.
            along = (u - line_left - block.slant * (line_top + block.px - v)) / block.stretch
            start = ""
            for text in block.lines[row]:
                number = 0
                if not text.endswith("."):
                    read = number = min(read + 1, len(ORDER_CLASSES) - 1)
                    across = (
                        measure_text_width(block.font, block.px, start)
                        + measure_text_width(block.font, block.px, text) / 2
                    )
                    lean = block.slant * (block.px - block.line_height / 2)
                    across = line_left + across * block.stretch + lean - pivot_x
                    down = line_top + block.line_height / 2 - pivot_y
                    at_x = pivot_x + across * np.cos(turn) + down * np.sin(turn)
                    at_y = pivot_y - across * np.sin(turn) + down * np.cos(turn)
                    middle[_find_patch(at_x, at_y)] = 2
                for position, character in enumerate(text):
                    prefix = start + text[:position]
                    inside = (
                        on_line
                        & (along >= measure_text_width(block.font, block.px, prefix))
                        & (along < measure_text_width(block.font, block.px, prefix + character))
                    )
                    letter[inside] = LETTER_CLASSES.index(character) if character in LETTER_CLASSES else 0
                    word[inside] = _WORD_CLASS.get(text, 0)
                    colour[inside] = colours.index(block.colour)
                    order[inside] = number
                start += text + " "
    background = np.full(count, list(BACKGROUNDS).index(scene.background), dtype=np.int64)
    return PatchLabels(
        thing=thing,
        letter=letter,
        word=word,
        colour=colour,
        background=background,
        place=_PLACES,
        order=order,
        middle=middle,
    )
