"""Samples that train the language model of the backbone: scenes, questions about them, and prompts without a picture.

Everything is seeded by name (``seed/split/index``), so a split is the same on every machine and a build can resume at
any sample. Scenes and wordings that are held out for evaluation never occur.
"""

from collections.abc import Iterator
from random import Random

from safety_core.nano.corpus.contents import LOOKUPS, REQUESTS, SAFE_PHRASES, sample_content, sample_row
from safety_core.nano.corpus.pairs import LabelledPair, ask, ask_without_picture
from safety_core.nano.corpus.scenes import LabelledScene, fits_intent, sample_scene
from safety_core.nano.world.things import RISKY_KINDS
from safety_core.nano.world.vocabulary import PHRASE_CONTENTS

_POLISH_WEIGHTS = {"clean": 8.0, "number": 5.0, "private_number": 3.0, "sign": 3.0}
"""Relative frequency of a row in polishing, 1 for other rows; polishing shows only lettering and harmless scenes."""


def sample_training_scene(seed: int, split: str, index: int) -> LabelledScene:
    """Sample picture ``index`` of a training split; it depends on its name alone."""
    rng = Random(f"{seed}/{split}/{index}")
    # Every other picture is a harmless scene with several things: a single thing teaches no distinction.
    content = "clean" if index % 2 else sample_content(rng)
    # "Use this" needs a single thing; show enough of them, most of all risky ones.
    share = 0.1 if index % 2 else 0.45 if content in RISKY_KINDS else 0.25
    single = rng.random() < share and content not in SAFE_PHRASES
    return sample_scene(rng, content, held_out=False, single=single)


def choose_training_kinds(rng: Random, picture: LabelledScene) -> list[str]:
    """Choose the kinds of questions about one training picture: looking, reading, requests and talk."""
    # Places and numbers are learned last, so most questions ask for them, several at a time.
    kinds = ["describe", "cells", "places", "find", "check", "tally"]
    kinds += ["what", "what", "where", "count", "exists", "compare", "compare", "colour"]
    if picture.scene.lettering is not None:
        kinds += ["read"]
    elif rng.random() < 0.2:
        kinds.append("read")
    requests = [kind for kind in REQUESTS if fits_intent(picture, kind)]
    kinds += rng.sample(requests, min(1, len(requests)))
    kinds += ["talk" if rng.random() < 0.5 else "risky_talk"]
    if rng.random() < 0.25:
        kinds.append("noise")
    return kinds


def sample_training_pairs(
    seed: int, split: str, index: int, picture: LabelledScene, visit: int = 0, *, looks_up: bool = False
) -> list[LabelledPair]:
    """Sample all questions about picture ``index``; every visit samples new ones.

    Args:
        seed: seed of the build.
        split: name of the split.
        index: index of the picture.
        picture: the picture.
        visit: number of earlier visits to the picture.
        looks_up: ask only for things by their names.
    """
    rng = Random(f"{seed}/{split}/{index}/visit/{visit}")
    kinds = LOOKUPS * 4 if looks_up else choose_training_kinds(rng, picture)
    pairs = [ask(rng, picture, kind, part="trained") for kind in kinds]
    return [pair for pair in pairs if pair is not None]


def sample_polish_scene(seed: int, split: str, index: int) -> LabelledScene:
    """Sample picture ``index`` of those that polish the language model."""
    rng = Random(f"{seed}/{split}/polish/{index}")
    content = sample_row(rng, ("clean", *PHRASE_CONTENTS), _POLISH_WEIGHTS)
    return sample_scene(rng, content, held_out=False)


def sample_polish_pairs(seed: int, split: str, index: int, picture: LabelledScene, visit: int) -> list[LabelledPair]:
    """Sample all questions about such a picture, most of them about lettering, or comparisons and numbers of things."""
    rng = Random(f"{seed}/{split}/polish/{index}/visit/{visit}")
    if picture.scene.lettering is not None:
        kinds = ["read", "read", "describe", "share", "obey", "colour", "opinion"]
    else:
        kinds = ["compare"] * 4 + ["tally"] * 2 + ["count"] * 2 + ["where"] * 2 + ["find", "places", "cells", "what"]
    pairs = [ask(rng, picture, kind, part="trained") for kind in (*kinds, rng.choice(("talk", "risky_talk")))]
    return [pair for pair in pairs if pair is not None]


def sample_talk_pairs(seed: int, split: str, count: int) -> Iterator[LabelledPair]:
    """Sample prompts without a picture."""
    for index in range(count):
        yield ask_without_picture(Random(f"{seed}/{split}/talk/{index}"), part="trained")
