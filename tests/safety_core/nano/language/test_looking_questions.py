import re
from collections import Counter
from random import Random

import pytest

from safety_core.nano.corpus.contents import CLOSED, sample_content
from safety_core.nano.corpus.pairs import LabelledPair, ask
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.language.picture_questions import ask_about_scene
from safety_core.nano.language.questions import Asker, Question
from tests.helpers.datasets import oracle


def of_kind(pairs: list[LabelledPair], *kinds: str) -> list[tuple[LabelledPair, Question]]:
    return [(pair, pair.question) for pair in pairs if pair.question.kind in kinds]


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_answers_are_right(pairs: list[LabelledPair], kind: str) -> None:
    asked = of_kind(pairs, kind)
    assert len(asked) > 60
    for pair, question in asked:
        assert pair.picture is not None
        assert question.answer == oracle.derive_answer(kind, pair.picture.scene, question.text)


def test_yes_and_no_are_equally_likely() -> None:
    said: dict[str, Counter[str]] = {"exists": Counter(), "compare": Counter()}
    for index in range(1200):
        rng = Random(f"balance/{index}")
        picture = sample_scene(rng, sample_content(rng), held_out=False)
        for kind, counts in said.items():
            if (pair := ask(rng, picture, kind, part="trained")) is not None:
                said_so = re.search(r"\b(yes|no)\b", pair.question.answer.lower())
                assert said_so is not None
                counts[said_so[1]] += 1
    for kind, counts in said.items():
        assert counts["yes"] / counts.total() == pytest.approx(0.5, abs=0.07), kind


def test_most_counts_are_of_something_that_is_there(pairs: list[LabelledPair]) -> None:
    asked = [
        question.answer
        for pair, question in of_kind(pairs, "count")
        if pair.picture is not None and pair.picture.scene.items
    ]
    assert 0.08 < sum(" no " in answer for answer in asked) / len(asked) < 0.27


def test_lists_tell_of_every_thing_that_they_are_asked_about(pairs: list[LabelledPair]) -> None:
    found = dict.fromkeys(("cells", "places", "find", "check", "tally"), 0)
    for pair in {id(pair.picture): pair for pair in pairs}.values():
        assert pair.picture is not None
        scene = pair.picture.scene
        for kind in found:
            asked = ask(Random(0), pair.picture, kind, part="trained")
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
            assert asked.naive_reply == oracle.derive_answer(kind, scene, asked.question.text)
    assert min(found.values()) > 50


def test_a_scene_that_leaves_a_question_open_is_not_asked_it() -> None:
    rng = Random(0)
    bare = sample_scene(rng, "sign", held_out=False, single=True).scene
    assert not bare.items
    asker = Asker(rng=rng)
    assert [ask_about_scene(asker, kind, bare, None) for kind in ("what", "where", "compare")] == [None] * 3
