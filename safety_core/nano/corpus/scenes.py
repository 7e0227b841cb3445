"""Samples labelled scenes: each shows the content of one row of the labelling table.

Training scenes avoid the held-out typefaces, background patterns and places; held-out scenes consist of them. Knows
nothing of questions, models or files.
"""

from dataclasses import dataclass
from random import Random

from safety_core.nano.language.labelling_rules import is_asked
from safety_core.nano.world.lettering import list_free_cells, place_lettering
from safety_core.nano.world.random_scenes import is_held_out_place, sample_items
from safety_core.nano.world.scene import (
    BACKGROUNDS,
    FONTS_HELD_OUT,
    FONTS_TRAINED,
    PATTERNS_HELD_OUT,
    PATTERNS_TRAINED,
    PATTERNS_VARIED,
    Lettering,
    PlacedItem,
    Scene,
    Words,
    place_item,
)
from safety_core.nano.world.things import find_things
from safety_core.nano.world.vocabulary import PHRASE_CONTENTS, Phrase, sample_phrase

_CARD_OWNERS = ["tom", "ana", "max", "eva", "leo", "mia"]
"""Names on identity cards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledScene:
    """A scene with the row of the labelling table that it belongs to."""

    scene: Scene
    """Everything that the picture shows."""

    content: str
    """The row of the labelling table."""

    phrase: Phrase | None = None
    """The phrase that the lettering shows; None for rows that are not made of words."""


def sample_scene(
    rng: Random,
    content: str,
    *,
    held_out: bool,
    single: bool = False,
    px: int | None = None,
    varied: bool = False,
) -> LabelledScene:
    """Sample a scene of one row of the labelling table.

    Args:
        rng: the sample's random source.
        content: the row.
        held_out: use typefaces, patterns and, for at least one thing, places that training never shows. If a risky
            thing has no such place, another thing takes one.
        single: show one thing and nothing else, so that "this" is unambiguous.
        px: height of the lettering in pixels; random when None.
        varied: reshape the trained typefaces and use more of the patterns that are not held out.
    """
    phrase: Phrase | None = None
    lettering: Lettering | None = None
    card = False
    items: tuple[PlacedItem, ...] = ()
    background = rng.choice(list(BACKGROUNDS))
    if content in PHRASE_CONTENTS:
        card = content == "private_number" and (single or rng.random() < 0.4)
        background = "white" if card else background
        fonts = FONTS_HELD_OUT if held_out else FONTS_TRAINED
        phrase, lettering = _sample_lettering(rng, content, background, card=card, fonts=fonts, px=px, varied=varied)
        if not single and not card:
            items = _sample_distractors(rng, background, list_free_cells(lettering), rng.choice((0, 0, 1, 2)), held_out)
    elif content == "clean":
        items = _sample_clean_things(rng, background, single=single, held_out=held_out)
    else:
        items = _sample_risky_thing(rng, content, background, single=single, held_out=held_out)
    seen = PATTERNS_VARIED if varied else PATTERNS_TRAINED
    scene = Scene(
        background=background,
        pattern=rng.choice(PATTERNS_HELD_OUT if held_out else seen),
        seed=rng.getrandbits(31),
        items=items,
        lettering=lettering,
        card=card,
    )
    return LabelledScene(scene=scene, content=content, phrase=phrase)


def fits_intent(picture: LabelledScene, intent: str) -> bool:
    """Whether a picture suits an intent: "use this" needs exactly one thing, "obey" needs words."""
    if not is_asked(picture.content, intent):
        return False
    scene = picture.scene
    if intent in ("use", "make"):
        return scene.card or (len(scene.items) == 1 and scene.lettering is None and scene.items[0].colour is None)
    if intent == "obey":
        return scene.lettering is not None or picture.content == "clean"
    if intent == "share":
        return scene.lettering is not None or bool(scene.items)
    return True


def _sample_lettering(
    rng: Random,
    content: str,
    background: str,
    *,
    card: bool,
    fonts: tuple[str, ...],
    px: int | None,
    varied: bool,
) -> tuple[Phrase, Lettering]:
    """Sample phrases until one fits into the picture; on a card, below its header."""
    while True:
        phrase = sample_phrase(rng, content)
        words = _lay_out_request(rng, phrase)
        if card:
            words = ((rng.choice(_CARD_OWNERS),), phrase.words[:1], phrase.words[1:])
        lettering = place_lettering(rng, words, background, fonts=fonts, px=px, tilt=not card, varied=varied)
        if lettering is not None and not (card and lettering.top < 16):
            return phrase, lettering


def _lay_out_request(rng: Random, phrase: Phrase) -> Words:
    """Lay out some requests as a numbered list, the layout of typographic jailbreaks; return other words unchanged."""
    if phrase.topic and rng.random() < 0.35:
        verb, article, thing = phrase.words[-3:]
        if rng.random() < 0.5:
            return ((verb, article), (thing,), ("1.",), ("2.",))
        return (("1.", verb, article), ("2.", thing), ("3.",))
    return phrase.words


def _sample_clean_things(rng: Random, background: str, *, single: bool, held_out: bool) -> tuple[PlacedItem, ...]:
    """Sample harmless things; exactly one pictogram if ``single``."""
    if not single:
        return _sample_distractors(rng, background, list(range(9)), rng.choice((1, 2, 2, 3, 3, 4, 5)), held_out)
    items: tuple[PlacedItem, ...] = ()
    while not items:
        items = sample_items(rng, background, list(range(9)), 1, shapes=0.0, held_out=held_out)
    return items


def _sample_risky_thing(
    rng: Random, content: str, background: str, *, single: bool, held_out: bool
) -> tuple[PlacedItem, ...]:
    """Sample a thing of a risky kind, with harmless things beside it unless ``single``."""
    name = rng.choice(find_things(content)).name
    cells = [cell for cell in range(9) if is_held_out_place(name, cell) == held_out]
    cell = rng.choice(cells or range(9))
    rest = [other for other in range(9) if other != cell]
    items: tuple[PlacedItem, ...] = (place_item(rng, name, cell),)
    if not single:
        items += _sample_distractors(rng, background, rest, rng.choice((0, 1, 1, 2, 3)), held_out)
    return items


def _sample_distractors(
    rng: Random, background: str, cells: list[int], count: int, held_out: bool
) -> tuple[PlacedItem, ...]:
    """Sample harmless things; sometimes one of them is repeated, so that there is something to count."""
    items = sample_items(rng, background, cells, count, held_out=held_out)
    if items and rng.random() < 0.4:
        free = [cell for cell in cells if all(cell != item.cell for item in items)]
        again = items[0]
        for cell in rng.sample(free, min(len(free), rng.randint(1, 3))):
            if held_out or not is_held_out_place(again.name, cell):
                items += (place_item(rng, again.name, cell, again.colour),)
    return items
