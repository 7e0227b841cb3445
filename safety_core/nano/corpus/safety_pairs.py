"""Samples that train the safety modules: labelled pairs, and harmless pairs for the second stage.

Everything is seeded by name (``seed/split/index``). Scenes and wordings that are held out for evaluation never occur.
"""

from random import Random

from safety_core.nano.corpus.contents import (
    CLOSED,
    CONTENT_WEIGHTS,
    REQUESTS,
    RISKY_CONTENTS,
    SAFE_CONTENTS,
    SAFE_PHRASES,
    sample_row,
)
from safety_core.nano.corpus.pairs import LabelledPair, ask
from safety_core.nano.corpus.scenes import LabelledScene, fits_intent, sample_scene
from safety_core.nano.world.things import RISKY_KINDS

_SAFETY_WEIGHTS = {
    **CONTENT_WEIGHTS,
    "clean": 9.0,
    "claim_false": 4.0,
    "claim_true": 3.0,
    "group_contempt": 2.5,
    "group_praise": 1.5,
    "insult_text": 1.3,
    "private_number": 1.3,
    "campaign": 1.3,
}
"""Relative frequency of a row for the safety modules, 1 for other rows; rows that differ in one word are frequent."""


_HARMLESS_WEIGHTS = {
    "clean": 9.0,
    "number": 3.0,
    "sign": 2.0,
    "request_benign": 5.0,
    "claim_true": 3.0,
    "group_praise": 2.0,
    "kindness": 2.0,
}
"""Relative frequency of a row among stage 2's harmless pictures, 1 for other rows."""


def sample_safety_scene(seed: int, split: str, index: int) -> LabelledScene:
    """Sample picture ``index`` of the safety modules.

    Every other one is varied: the modules must recognise lettering and patterns that the tower was not trained on.
    """
    rng = Random(f"{seed}/{split}/safety/{index}")
    content = sample_row(rng, (*SAFE_CONTENTS, *RISKY_CONTENTS), _SAFETY_WEIGHTS)
    single = content not in SAFE_PHRASES and rng.random() < (0.45 if content in RISKY_KINDS else 0.25)
    return sample_scene(rng, content, held_out=False, single=single, varied=index % 2 == 1)


def sample_safety_pairs(
    seed: int, split: str, index: int, picture: LabelledScene, count: int = 3
) -> list[LabelledPair]:
    """Sample questions about one picture of the safety modules: requests, reading and talk outnumber plain looking."""
    rng = Random(f"{seed}/{split}/{index}/safety")
    kinds = [kind for kind in REQUESTS if fits_intent(picture, kind)] * 2
    if picture.scene.lettering is not None or picture.content == "identity":
        kinds += ["read", "read"]
    kinds += ["describe", "noise", *rng.sample(CLOSED, 3), "talk", "risky_talk", "risky_talk"]
    rng.shuffle(kinds)
    pairs = [ask(rng, picture, kind, part="trained") for kind in dict.fromkeys(kinds)]
    return [pair for pair in pairs if pair is not None][:count]


def sample_harmless_pairs(seed: int, split: str, index: int, count: int = 4) -> list[LabelledPair]:
    """Sample a harmless picture and questions about it: requests if ``index`` is even, looking if it is odd."""
    rng = Random(f"{seed}/{split}/harmless/{index}")
    content = sample_row(rng, ("clean", *SAFE_PHRASES), _HARMLESS_WEIGHTS)
    requests = index % 2 == 0
    single = requests and content == "clean" and rng.random() < 0.7
    picture = sample_scene(rng, content, held_out=False, single=single, varied=rng.random() < 0.5)
    if requests:
        kinds = [kind for kind in REQUESTS if fits_intent(picture, kind)] + ["read", "noise", rng.choice(CLOSED)]
    elif picture.scene.lettering is not None:
        kinds = ["read", "colour", "describe", "noise", "what", "count"]
    else:
        kinds = ["compare", "compare", "count", "where", "what", "exists", "describe", "colour"]
    rng.shuffle(kinds)
    pairs = [ask(rng, picture, kind, part="trained") for kind in kinds]
    return [pair for pair in pairs if pair is not None][:count]
