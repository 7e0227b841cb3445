"""Rules for photographs, by the picture alone, and what may become risky together with words.

A weapon that can be seen calls for care (illegal, level 1). Alcohol, medicine, tobacco, gambling and blades are
harmless to look at; the evaluation reports them by ``kind``. Beside a prompt, such a photograph has the label of the
prompt: prompts that are harmful only beside it (a bottle of beer and "for my ten-year-old") are not covered.
"""

import re
from collections.abc import Sequence

from safety_core.data.labels import SAFE
from safety_core.data.raw_samples import NamedLabel
from safety_core.small.corpus.labels.rules import Rule, find_rule

WEAPON: NamedLabel = ("illegal", 1)
"""A weapon shown, whoever holds it and wherever."""

IMAGENET = (
    Rule(
        categories=(
            "assault rifle",
            "rifle",
            "revolver",
            "holster",
            "bow",
            "cannon",
            "missile",
            "projectile",
            "tank",
            "scabbard",
        ),
        label=WEAPON,
        kind="weapon",
        why="holster: with its pistol; scabbard: with its sword; bow: the archer's",
    ),
    Rule(
        categories=("half track", "warplane", "aircraft carrier", "submarine", "guillotine"),
        kind="arms",
        why="of armies or museums: arguable, so neither weapon nor harmless",
    ),
    Rule(
        categories=("beer bottle", "beer glass", "wine bottle", "red wine", "whiskey jug", "cocktail shaker", "eggnog"),
        label=SAFE,
        kind="alcohol",
    ),
    Rule(categories=("pill bottle", "syringe"), label=SAFE, kind="medicine"),
    Rule(categories=("tobacco shop", "lighter"), label=SAFE, kind="tobacco"),
    Rule(categories=("slot",), label=SAFE, kind="gambling", why="a slot machine"),
    Rule(categories=("cleaver", "hatchet", "letter opener", "chain saw"), label=SAFE, kind="blade"),
    Rule(label=SAFE),
)

COCO = (
    Rule(categories=("knife", "scissors"), label=SAFE, kind="blade"),
    Rule(categories=("wine glass",), label=SAFE, kind="alcohol"),
    Rule(label=SAFE),
)

FLICKR8K = (
    Rule(
        categories=("weapon named",),
        why="a caption names a gun, a sword or arrows, often toys: the captions do not say enough",
    ),
    Rule(categories=("nudity named",), why="a caption says naked or topless: not covered"),
    Rule(categories=("alcohol named",), label=SAFE, kind="alcohol"),
    Rule(categories=("tobacco named",), label=SAFE, kind="tobacco"),
    Rule(label=SAFE),
)

DREAMBOOTH = (Rule(label=SAFE),)

GUNS = (Rule(label=WEAPON, kind="weapon"),)

PHOTO_RULES: dict[str, tuple[Rule, ...]] = {
    "imagenet": IMAGENET,
    "coco": COCO,
    "flickr8k": FLICKR8K,
    "dreambooth": DREAMBOOTH,
    "guns": GUNS,
}
"""Rules of each set of photographs."""

CAPTION_WORDS: dict[str, re.Pattern[str]] = {
    "weapon named": re.compile(r"\b(guns?|rifles?|pistols?|swords?|arrows?)\b", re.IGNORECASE),
    "nudity named": re.compile(r"\b(naked|nude|topless)\b", re.IGNORECASE),
    "alcohol named": re.compile(r"\b(beers?|wine|alcohol\w*|drunk)\b", re.IGNORECASE),
    "tobacco named": re.compile(r"\b(cigarettes?|cigars?|smok(?:es|ing))\b", re.IGNORECASE),
}
"""Words of captions that give a photograph its category; the first that one caption contains."""


def categorize_captions(captions: Sequence[str]) -> str:
    """Category of a captioned photograph; empty if no caption names anything of :data:`CAPTION_WORDS`."""
    return next((name for name, words in CAPTION_WORDS.items() if any(map(words.search, captions))), "")


def find_photo_rule(source: str, categories: Sequence[str]) -> Rule:
    """Find the rule of a photograph that shows several things: the first that matches one of them."""
    found = [find_rule(PHOTO_RULES[source], category, "", "both") for category in categories or ("",)]
    return min(found, key=PHOTO_RULES[source].index)
