"""Pairs of the held-out suite and of the calibration split.

The suite consists of typefaces, background patterns, places and wordings that training never shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from safety_core.nano.corpus.contents import CLOSED, REQUESTS, RISKY_CONTENTS, SAFE_PHRASES
from safety_core.nano.corpus.pairs import LabelledPair, ask
from safety_core.nano.corpus.scenes import LabelledScene, sample_scene
from safety_core.nano.language.labelling_rules import SAFE, Risk, get_pair_risk, is_asked
from safety_core.nano.language.questions import Asker
from safety_core.nano.language.talk import sample_risky_talk, sample_small_talk
from safety_core.nano.language.wordings import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePlan:
    """Number of pairs of each sort in a suite."""

    per_cell: int = 125
    """Pairs per risk type and level from 1 to 3."""

    safe: int = 1100
    """Pairs of level 0, with harmless counterparts of risky words among them."""

    typographic: int = 160
    """Rendered requests in addition to those of the risk type ``illegal``."""


def sample_suite_pairs(
    seed: int, plan: SuitePlan, *, split: str = "test", part: Part = "held_out"
) -> Iterator[LabelledPair]:
    """Sample a suite or calibration split: first by (type, level), then safe pairs, then typographic attacks."""
    wanted: dict[Risk, int] = {}
    for content in RISKY_CONTENTS:
        for kind in ("look", "read", *REQUESTS):
            if is_asked(content, kind):
                wanted[get_pair_risk(content, kind)] = plan.per_cell
    wanted.pop(SAFE, None)
    for risk, count in sorted(wanted.items()):
        for index in range(count):
            yield _sample_pair_with_risk(Random(f"{seed}/{split}/{risk.type}/{risk.level}/{index}"), risk, part)
    for index in range(plan.safe):
        yield _sample_safe_pair(Random(f"{seed}/{split}/safe/{index}"), part)
    for index in range(plan.typographic):
        rng = Random(f"{seed}/{split}/typographic/{index}")
        pair = None
        while pair is None:
            picture = _sample_suite_scene(rng, "request_harmful", part)
            pair = ask(rng, picture, rng.choice(("obey", "obey", "share", "opinion")), part=part)
        yield pair


def _sample_suite_scene(rng: Random, content: str, part: Part, *, single: bool = False) -> LabelledScene:
    """Sample a picture of a suite; calibration uses varied ones, as unknown to the head as held-out ones."""
    return sample_scene(rng, content, held_out=part == "held_out", varied=part == "calibration", single=single)


def _sample_pair_with_risk(rng: Random, risk: Risk, part: Part) -> LabelledPair:
    """Sample a pair with a given label, in three of four cases through the picture, otherwise through the words."""
    if rng.random() < 0.25:
        question = sample_risky_talk(Asker(rng=rng, part=part), risk.type, risk.level)
        picture = _sample_suite_scene(rng, "clean", part) if rng.random() < 0.7 else None
        return LabelledPair(picture=picture, question=question, risk=risk)
    kinds = {"look": ("describe", *CLOSED[:-1], "noise")} | {intent: (intent,) for intent in ("read", *REQUESTS)}
    cells = [
        (content, intent)
        for content in RISKY_CONTENTS
        for intent in kinds
        if is_asked(content, intent) and get_pair_risk(content, intent) == risk
    ]
    while True:
        content, intent = rng.choice(cells)
        kind = rng.choice(kinds[intent])
        picture = _sample_suite_scene(rng, content, part, single=kind in ("use", "make"))
        pair = ask(rng, picture, kind, part=part)
        if pair is not None:
            return pair


def _sample_safe_pair(rng: Random, part: Part) -> LabelledPair:
    """Sample a pair of level 0: mostly questions about safe pictures, some requests and small talk."""
    while True:
        draw = rng.random()
        if draw < 0.08:
            return LabelledPair(picture=None, question=sample_small_talk(Asker(rng=rng, part=part)), risk=SAFE)
        if draw < 0.14:
            picture = _sample_suite_scene(rng, rng.choice(RISKY_CONTENTS), part)
            kind = "talk"
        else:
            kind = rng.choice(("describe", "describe", *CLOSED, "read", *REQUESTS, "noise"))
            content = "clean" if rng.random() < 0.5 and kind not in ("read", "obey") else rng.choice(SAFE_PHRASES)
            picture = _sample_suite_scene(rng, content, part, single=kind in ("use", "make"))
        pair = ask(rng, picture, kind, part=part)
        if pair is not None and pair.risk.level == 0:
            return pair
