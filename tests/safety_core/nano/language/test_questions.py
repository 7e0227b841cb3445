import re
from random import Random

from safety_core.nano.corpus.contents import CLOSED, REQUESTS, sample_content
from safety_core.nano.corpus.pairs import LabelledPair, ask
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.language.wordings import Part
from tests.helpers.datasets import oracle

PARTS: tuple[Part, ...] = ("held_out", "trained")


def test_no_prompt_comes_out_both_trained_and_held_out() -> None:
    texts: dict[bool, set[str]] = {False: set(), True: set()}
    for held_out, found in texts.items():
        for index in range(250):
            rng = Random(f"texts/{index}")
            picture = sample_scene(rng, sample_content(rng), held_out=False)
            kinds = ("describe", *CLOSED, *REQUESTS, "talk", "risky_talk")
            asked = (ask(rng, picture, kind, part=PARTS[not held_out]) for kind in kinds)
            found |= {oracle.strip_politeness(pair.question.text) for pair in asked if pair is not None}
    assert min(len(found) for found in texts.values()) > 300
    assert not texts[False] & texts[True]


def test_articles_fit(pairs: list[LabelledPair]) -> None:
    for pair in pairs:
        if pair.question.kind != "noise":
            for text in (pair.question.text, pair.naive_reply):
                assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), text
