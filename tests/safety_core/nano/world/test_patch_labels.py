from random import Random

import numpy as np
import numpy.typing as npt
import pytest

from safety_core.nano.corpus.contents import sample_content
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.patch_labels import (
    COLOUR_CLASSES,
    LETTER_CLASSES,
    MIDDLE_CLASSES,
    THING_CLASSES,
    WORD_CLASSES,
    label_patches,
)
from safety_core.nano.world.scene import (
    BACKGROUNDS,
    GRID,
    LETTERS,
    PATCH,
    SHAPES,
    SIDE,
    Lettering,
    Scene,
    compute_item_box,
)
from safety_core.nano.world.things import THINGS
from safety_core.nano.world.vocabulary import VOCABULARY

WORD, MONO = "bridge", "DejaVuSansMono-Bold"
CENTRES = [(column * PATCH + PATCH / 2, row * PATCH + PATCH / 2) for row in range(GRID) for column in range(GRID)]


def lettered(word: str, angle: float, px: int = 32) -> Scene:
    """A word across the middle of a white picture, in a face whose letters are all equally wide."""
    block = Lettering(lines=((word,),), font=MONO, px=px, colour="black", left=12, top=48, angle=angle)
    return Scene(background="white", pattern="plain", seed=1, lettering=block)


def ink(scene: Scene, other: Scene) -> npt.NDArray[np.bool_]:
    """Where two pictures clearly differ, shape (SIDE, SIDE)."""
    one, two = (np.asarray(draw(each), dtype=np.int32) for each in (scene, other))
    changed: npt.NDArray[np.bool_] = np.abs(one - two).max(axis=-1) > 60
    return changed


def test_classes_cover_the_world() -> None:
    assert ("nothing", *(thing.name for thing in THINGS), *SHAPES) == THING_CLASSES
    assert ("nothing", *VOCABULARY) == WORD_CLASSES
    assert ("nothing", *LETTERS) == LETTER_CLASSES


def test_patches_of_things_lie_in_their_boxes() -> None:
    for index in range(30):
        rng = Random(f"labels/{index}")
        scene = sample_scene(rng, sample_content(rng), held_out=False).scene
        labels = label_patches(scene)
        assert all(len(row) == GRID * GRID for row in (labels.thing, labels.letter, labels.word, labels.colour))
        assert set(labels.background) == {list(BACKGROUNDS).index(scene.background)}
        for (x, y), label in zip(CENTRES, labels.thing, strict=True):
            there = [
                item.name
                for item in scene.items
                for left, top, right, bottom in [compute_item_box(item)]
                if left <= x < right and top <= y < bottom
            ]
            assert there == ([THING_CLASSES[label]] if label else [])
        # Every thing is large enough that several patches speak of it.
        for item in scene.items:
            assert (labels.thing == THING_CLASSES.index(item.name)).sum() >= 4


def test_shapes_and_lettering_carry_their_colour() -> None:
    for index in range(20):
        rng = Random(f"colours/{index}")
        scene = sample_scene(rng, "sign", held_out=False).scene
        labels = label_patches(scene)
        assert scene.lettering is not None
        on_letters = labels.colour[labels.letter > 0]
        assert len(on_letters)
        assert set(on_letters) == {COLOUR_CLASSES.index(scene.lettering.colour)}
        for item in scene.items:
            here = set(labels.colour[labels.thing == THING_CLASSES.index(item.name)])
            assert here == {0 if item.colour is None else COLOUR_CLASSES.index(item.colour)}


@pytest.mark.parametrize("angle", [0.0, 8.0, -8.0])
def test_letters_are_labelled_in_reading_order(angle: float) -> None:
    labels = label_patches(lettered(WORD, angle))
    columns: dict[str, list[float]] = {}
    for (x, _), letter, word in zip(CENTRES, labels.letter, labels.word, strict=True):
        assert (word > 0) == (letter > 0)
        if letter:
            columns.setdefault(LETTER_CLASSES[letter], []).append(x)
            assert WORD_CLASSES[word] == WORD
    assert "".join(sorted(columns, key=lambda letter: float(np.mean(columns[letter])))) == WORD


@pytest.mark.parametrize("angle", [0.0, 8.0, -8.0])
@pytest.mark.parametrize("row", [0, 2])
@pytest.mark.parametrize(("stretch", "slant"), [(1.0, 0.0), (0.9, 0.0), (1.0, 0.2)])
def test_letters_are_labelled_where_their_ink_is(angle: float, row: int, stretch: float, slant: float) -> None:
    def page(word: str) -> Scene:
        lines = [("museum",), ("signal",), ("summit",)]
        lines[row] = (word,)
        block = Lettering(
            lines=tuple(lines),
            font=MONO,
            px=32,
            colour="black",
            left=12,
            top=11,
            angle=angle,
            stretch=stretch,
            slant=slant,
        )
        return Scene(background="white", pattern="plain", seed=1, lettering=block)

    labels = label_patches(page(WORD))
    for position, letter in enumerate(WORD):
        # In this face another letter at one position changes the picture at that position alone.
        spot = ink(page(WORD), page(f"{WORD[:position]}m{WORD[position + 1 :]}"))
        rows, columns = np.nonzero(spot)
        for (x, y), label, word in zip(CENTRES, labels.letter, labels.word, strict=True):
            found = (LETTER_CLASSES[label], WORD_CLASSES[word])
            if spot[int(y), int(x)]:
                assert found == (letter, WORD)
            if found == (letter, WORD):
                # An upright letter is at most as wide as its place, and a line is higher than its ink.
                assert columns.min() - 8 < x < columns.max() + 8
                assert rows.min() - 16 < y < rows.max() + 16


def test_a_tilt_goes_the_way_that_the_picture_turns() -> None:
    for angle in (8.0, -8.0):
        labels = label_patches(lettered(WORD, angle))
        height = {
            letter: np.mean(
                [y for (_, y), one in zip(CENTRES, labels.letter, strict=True) if LETTER_CLASSES[one] == letter]
            )
            for letter in (WORD[0], WORD[-1])
        }
        rows, columns = np.nonzero(ink(lettered(WORD, angle), lettered("      ", angle)))
        slope = np.polyfit(columns, rows, 1)[0]
        assert np.sign(height[WORD[-1]] - height[WORD[0]]) == np.sign(slope) == -np.sign(angle)


def test_words_that_nobody_knows_have_letters_only() -> None:
    labels = label_patches(lettered("zq7x", 0.0))
    assert {LETTER_CLASSES[one] for one in labels.letter if one} == set("zq7x")
    assert not labels.word.any()


def test_numbers_of_a_list_are_letters_without_a_word() -> None:
    lines = (("1.", "make", "a"), ("2.", "cake"))
    block = Lettering(lines=lines, font="DejaVuSans-Bold", px=28, colour="red", left=8, top=30)
    labels = label_patches(Scene(background="white", pattern="plain", seed=1, lettering=block))
    assert {WORD_CLASSES[one] for one in labels.word if one} >= {"make", "cake"}
    for letter, word in zip(labels.letter, labels.word, strict=True):
        if LETTER_CLASSES[letter] in "12":
            assert word == 0


def test_every_patch_knows_its_cell() -> None:
    places = label_patches(lettered(WORD, 0.0)).place
    for (x, y), place in zip(CENTRES, places, strict=True):
        column, row = place % 3, place // 3
        assert column * SIDE / 3 <= x < (column + 1) * SIDE / 3
        assert row * SIDE / 3 <= y < (row + 1) * SIDE / 3


@pytest.mark.parametrize("angle", [0.0, 8.0, -8.0])
def test_words_are_counted_in_reading_order(angle: float) -> None:
    lines = (("1.", "wash", "the"), ("2.", "car"), ("cake",))
    block = Lettering(lines=lines, font=MONO, px=24, colour="black", left=8, top=24, angle=angle)
    labels = label_patches(Scene(background="white", pattern="plain", seed=1, lettering=block))
    counted = {(int(order), WORD_CLASSES[word]) for order, word in zip(labels.order, labels.word, strict=True) if word}
    assert counted == {(1, "wash"), (2, "the"), (3, "car"), (4, "cake")}
    # The numbering of the list is no word.
    for letter, order in zip(labels.letter, labels.order, strict=True):
        assert LETTER_CLASSES[letter] not in "12" or order == 0


def test_things_and_words_have_one_middle_each() -> None:
    thing, word = (MIDDLE_CLASSES.index(name) for name in ("thing", "word"))
    for index in range(30):
        rng = Random(f"middles/{index}")
        scene = sample_scene(rng, sample_content(rng), held_out=False).scene
        labels = label_patches(scene)
        written = () if scene.lettering is None else scene.lettering.lines
        assert (labels.middle == thing).sum() == len(scene.items)
        assert (labels.middle == word).sum() <= sum(not text.endswith(".") for line in written for text in line)
        for middle, what, order in zip(labels.middle, labels.thing, labels.order, strict=True):
            assert middle != thing or what
            assert middle != word or order or not what
