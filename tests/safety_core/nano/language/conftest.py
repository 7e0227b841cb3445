from random import Random

import pytest

from safety_core.nano.corpus.contents import CLOSED, REQUESTS, sample_content
from safety_core.nano.corpus.pairs import LabelledPair, ask
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.language.wordings import Part

PARTS: tuple[Part, ...] = ("held_out", "trained")
EVERY_KIND = ("describe", *CLOSED, *REQUESTS, "talk", "risky_talk", "noise")
SCENES = 450


@pytest.fixture(scope="session")
def pairs() -> list[LabelledPair]:
    """One pair of every kind that each of several hundred scenes allows, a third of them held out."""
    found = []
    for index in range(SCENES):
        rng = Random(f"grammar/{index}")
        held_out = index % 3 == 0
        picture = sample_scene(rng, sample_content(rng), held_out=held_out, single=index % 4 == 0)
        found += [
            pair for kind in EVERY_KIND if (pair := ask(rng, picture, kind, part=PARTS[not held_out])) is not None
        ]
    return found
