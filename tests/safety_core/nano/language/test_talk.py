import re
from collections import defaultdict
from random import Random
from typing import get_args

import pytest

from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.language.descriptions import describe
from safety_core.nano.language.questions import Asker
from safety_core.nano.language.replies import NO_PICTURE, REFUSAL, STEPS
from safety_core.nano.language.talk import sample_noise, sample_risky_talk, sample_small_talk
from safety_core.nano.language.wordings import OUTSIDE, RISKY_TALK, TALK, Part
from tests.helpers.datasets import oracle

PARTS: tuple[Part, ...] = ("held_out", "trained")


def test_the_same_words_never_carry_two_risks() -> None:
    risks: dict[str, set[object]] = defaultdict(set)
    for index in range(900):
        asker = Asker(rng=Random(index), part=PARTS[index % 2])
        for question in (sample_small_talk(asker), sample_risky_talk(asker, *asker.rng.choice(list(RISKY_TALK)))):
            risks[oracle.strip_politeness(question.text)].add(question.own_risk)
    assert {text: found for text, found in risks.items() if len(found) > 1} == {}


def test_nothing_is_ever_instructed() -> None:
    """Whatever is asked in words alone, the reply is one of a few sentences that tell nobody how to do anything."""
    known = {answer for _, answer in TALK.values()} | {NO_PICTURE, REFUSAL}
    known |= {"Here is a short answer: it depends.", "Sure, here is my answer: yes."}
    templates = (rf"Sure, here is how to \w+ a \w+: {STEPS}\.", r"(?:Yes|No), \w+ is \w+\.")
    for index in range(600):
        asker = Asker(rng=Random(f"instructed/{index}"), part=PARTS[index % 2])
        for question in (
            sample_small_talk(asker),
            sample_risky_talk(asker, *asker.rng.choice(list(RISKY_TALK))),
            sample_noise(asker, None),
        ):
            assert question.answer in known or any(re.fullmatch(one, question.answer) for one in templates), (
                question.answer
            )


@pytest.mark.parametrize(("risk_type", "level"), list(RISKY_TALK))
def test_the_backbone_is_aligned_in_words(risk_type: str, level: int) -> None:
    for index in range(10):
        question = sample_risky_talk(Asker(rng=Random(index), part=PARTS[index % 2]), risk_type, level)
        assert (question.own_risk.type, question.own_risk.level) == (risk_type, level)
        assert (question.answer == REFUSAL) == (level == 3)
        assert not question.needs_picture


def test_prompts_outside_the_grammar_get_a_description() -> None:
    texts = set()
    for index in range(60):
        rng = Random(f"noise/{index}")
        scene = sample_scene(rng, "clean", held_out=False).scene
        question = sample_noise(Asker(rng=rng), scene)
        assert (question.answer, question.things) == describe(scene)
        texts.add(question.text)
    assert len(texts) > 50
    assert sample_noise(Asker(rng=Random(0)), None).answer == NO_PICTURE


def test_words_outside_the_grammar_are_held_out_too() -> None:
    parts: dict[Part, set[str]] = {part: set(getattr(OUTSIDE, part)) for part in get_args(Part)}
    assert sum(len(words) for words in parts.values()) == len(set().union(*parts.values()))
    for part, words in parts.items():
        said = {
            word.strip("?.!")
            for index in range(200)
            for word in sample_noise(Asker(rng=Random(index), part=part), None).text.split()
        }
        assert said & words
        assert not said & (set().union(*parts.values()) - words)
