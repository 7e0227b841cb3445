import re
from collections import Counter, defaultdict
from random import Random
from typing import get_args

import pytest

from safety_core.nano.language.corpus import CLOSED, REQUESTS, Pair, ask, draw_content, draw_scene
from safety_core.nano.language.grammar import Asker, Question, describe
from safety_core.nano.language.replies import NO_PICTURE, REFUSAL, STEPS
from safety_core.nano.language.wordings import OUTSIDE, RISKY_TALK, TALK, Part
from tests.helpers.datasets import oracle

SCENES = 450
PARTS: tuple[Part, ...] = ("held_out", "trained")
EVERY_KIND = ("describe", *CLOSED, *REQUESTS, "talk", "risky_talk", "noise")


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """One pair of every kind that each of several hundred scenes allows, a third of them held out."""
    found = []
    for index in range(SCENES):
        rng = Random(f"grammar/{index}")
        held_out = index % 3 == 0
        drawn = draw_scene(rng, draw_content(rng), held_out=held_out, single=index % 4 == 0)
        found += [pair for kind in EVERY_KIND if (pair := ask(rng, drawn, kind, part=PARTS[not held_out])) is not None]
    return found


def of_kind(pairs: list[Pair], *kinds: str) -> list[tuple[Pair, Question]]:
    return [(pair, pair.question) for pair in pairs if pair.question.kind in kinds]


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_answers_are_right(pairs: list[Pair], kind: str) -> None:
    asked = of_kind(pairs, kind)
    assert len(asked) > 60
    for pair, question in asked:
        assert pair.drawn is not None
        assert question.answer == oracle.right_answer(kind, pair.drawn.scene, question.text)


def test_descriptions_name_everything_and_nothing_else(pairs: list[Pair]) -> None:
    for pair, question in of_kind(pairs, "describe", "noise"):
        assert pair.drawn is not None
        scene = pair.drawn.scene
        things, background, words = oracle.described(question.answer)
        assert things == Counter(oracle.label(item) for item in scene.items)
        assert background == scene.background
        assert words == oracle.written(scene)
        assert set(question.things) == {item.name for item in scene.items}


def test_yes_and_no_are_equally_likely() -> None:
    said: dict[str, Counter[str]] = {"exists": Counter(), "compare": Counter()}
    for index in range(1200):
        rng = Random(f"balance/{index}")
        drawn = draw_scene(rng, draw_content(rng), held_out=False)
        for kind, counts in said.items():
            if (pair := ask(rng, drawn, kind, part="trained")) is not None:
                said_so = re.search(r"\b(yes|no)\b", pair.question.answer.lower())
                assert said_so is not None
                counts[said_so[1]] += 1
    for kind, counts in said.items():
        assert counts["yes"] / counts.total() == pytest.approx(0.5, abs=0.07), kind


def test_most_counts_are_of_something_that_is_there(pairs: list[Pair]) -> None:
    asked = [
        question.answer
        for pair, question in of_kind(pairs, "count")
        if pair.drawn is not None and pair.drawn.scene.items
    ]
    assert 0.08 < sum(" no " in answer for answer in asked) / len(asked) < 0.27


def test_lists_tell_of_every_thing_that_they_are_asked_about(pairs: list[Pair]) -> None:
    found = dict.fromkeys(("cells", "places", "find", "check", "tally"), 0)
    for pair in {id(pair.drawn): pair for pair in pairs}.values():
        assert pair.drawn is not None
        scene = pair.drawn.scene
        for kind in found:
            asked = ask(Random(0), pair.drawn, kind, part="trained")
            if kind in ("cells", "places", "find") and asked is None:
                repeated = len({item.name for item in scene.items}) < len(scene.items)
                assert (
                    not scene.items
                    or (kind, bool(scene.lettering)) == ("cells", True)
                    or (kind, repeated) == ("find", True)
                )
                continue
            assert asked is not None
            found[kind] += 1
            assert asked.naive == oracle.right_answer(kind, scene, asked.question.text)
    assert min(found.values()) > 50


def test_a_scene_that_leaves_a_question_open_is_not_asked_it() -> None:
    rng = Random(0)
    bare = draw_scene(rng, "sign", held_out=False, single=True).scene
    assert not bare.items
    asker = Asker(rng=rng)
    assert [asker.picture_question(kind, bare, None) for kind in ("what", "where", "compare")] == [None] * 3


# --- prompts ---------------------------------------------------------------------------------------------------------


def test_no_prompt_comes_out_both_trained_and_held_out() -> None:
    texts: dict[bool, set[str]] = {False: set(), True: set()}
    for held_out, found in texts.items():
        for index in range(250):
            rng = Random(f"texts/{index}")
            drawn = draw_scene(rng, draw_content(rng), held_out=False)
            kinds = ("describe", *CLOSED, *REQUESTS, "talk", "risky_talk")
            asked = (ask(rng, drawn, kind, part=PARTS[not held_out]) for kind in kinds)
            found |= {oracle.undressed(pair.question.text) for pair in asked if pair is not None}
    assert min(len(found) for found in texts.values()) > 300
    assert not texts[False] & texts[True]


def test_the_same_words_never_carry_two_risks() -> None:
    risks: dict[str, set[object]] = defaultdict(set)
    for index in range(900):
        asker = Asker(rng=Random(index), part=PARTS[index % 2])
        for question in (asker.small_talk(), asker.risky_talk(*asker.rng.choice(list(RISKY_TALK)))):
            risks[oracle.undressed(question.text)].add(question.own)
    assert {text: found for text, found in risks.items() if len(found) > 1} == {}


def test_articles_fit(pairs: list[Pair]) -> None:
    for pair in pairs:
        if pair.question.kind != "noise":
            for text in (pair.question.text, pair.naive):
                assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), text


# --- replies ---------------------------------------------------------------------------------------------------------


def test_compliance_is_a_template_without_content(pairs: list[Pair]) -> None:
    for pair, question in of_kind(pairs, *REQUESTS):
        assert pair.drawn is not None
        scene = pair.drawn.scene
        words = " ".join(oracle.written(scene))
        names = {item.name for item in scene.items} | ({"card"} if scene.card else set())
        allowed = {
            "opinion": {"I like this picture."},
            "use": {f"Sure, here is how to use the {name}: {STEPS}." for name in names},
            "make": {f"Sure, here is how to make the {name}: {STEPS}." for name in names},
            "share": {
                f"Sure, here is a message: {message}!"
                for message in ([words] if words else [f"look at the {name}" for name in names])
            },
            "obey": {f"It says: {words}.", "There is nothing written."},
        }[question.kind]
        if question.kind == "obey" and pair.drawn.phrase is not None and (topic := pair.drawn.phrase.topic):
            assert topic in words
            allowed = {f"Sure, here is how to {topic}: {STEPS}."}
        assert question.answer in allowed


def test_nothing_is_ever_instructed() -> None:
    """Whatever is asked in words alone, the reply is one of a few sentences that tell nobody how to do anything."""
    known = {answer for _, answer in TALK.values()} | {NO_PICTURE, REFUSAL}
    known |= {"Here is a short answer: it depends.", "Sure, here is my answer: yes."}
    templates = (rf"Sure, here is how to \w+ a \w+: {STEPS}\.", r"(?:Yes|No), \w+ is \w+\.")
    for index in range(600):
        asker = Asker(rng=Random(f"instructed/{index}"), part=PARTS[index % 2])
        for question in (asker.small_talk(), asker.risky_talk(*asker.rng.choice(list(RISKY_TALK))), asker.noise(None)):
            assert question.answer in known or any(re.fullmatch(one, question.answer) for one in templates), (
                question.answer
            )


@pytest.mark.parametrize(("risk_type", "level"), list(RISKY_TALK))
def test_the_backbone_is_aligned_in_words(risk_type: str, level: int) -> None:
    for index in range(10):
        question = Asker(rng=Random(index), part=PARTS[index % 2]).risky_talk(risk_type, level)
        assert (question.own.type, question.own.level) == (risk_type, level)
        assert (question.answer == REFUSAL) == (level == 3)
        assert not question.needs_picture


def test_prompts_outside_the_grammar_get_a_description() -> None:
    texts = set()
    for index in range(60):
        rng = Random(f"noise/{index}")
        scene = draw_scene(rng, "clean", held_out=False).scene
        question = Asker(rng=rng).noise(scene)
        assert (question.answer, question.things) == describe(scene)
        texts.add(question.text)
    assert len(texts) > 50
    assert Asker(rng=Random(0)).noise(None).answer == NO_PICTURE


def test_words_outside_the_grammar_are_held_out_too() -> None:
    parts: dict[Part, set[str]] = {part: set(getattr(OUTSIDE, part)) for part in get_args(Part)}
    assert sum(len(words) for words in parts.values()) == len(set().union(*parts.values()))
    for part, words in parts.items():
        said = {
            word.strip("?.!")
            for index in range(200)
            for word in Asker(rng=Random(index), part=part).noise(None).text.split()
        }
        assert said & words
        assert not said & (set().union(*parts.values()) - words)
