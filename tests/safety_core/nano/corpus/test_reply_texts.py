from collections import Counter
from itertools import islice
from random import Random

import pytest

from safety_core.nano.corpus.pairs import LabelledPair, ask
from safety_core.nano.corpus.reply_texts import (
    cut_replies,
    extract_harmful_part,
    label_reply,
    sample_reply_pairs,
    sample_training_replies,
)
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.language.labelling_rules import SAFE, Risk
from safety_core.nano.language.questions import Question
from safety_core.nano.language.replies import DISCLOSURE_START, GIVING_STARTS, STEPS


def make_pair(content: str, kind: str, *, seed: int = 0) -> LabelledPair:
    rng = Random(seed)
    pair = ask(rng, sample_scene(rng, content, held_out=False, single=True), kind, part="trained")
    assert pair is not None
    return pair


@pytest.fixture(scope="module")
def pairs() -> list[LabelledPair]:
    return [pair for index in range(150) for pair in sample_reply_pairs(Random(f"replies/{index}"), "trained")]


@pytest.mark.parametrize(
    ("content", "kind", "risk"),
    [
        ("weapon", "make", Risk(3, "illegal")),
        ("weapon", "use", Risk(2, "illegal")),
        ("weapon", "describe", SAFE),
        ("weapon", "opinion", SAFE),
        ("politics", "use", SAFE),
        ("clean", "make", SAFE),
        ("request_harmful", "obey", Risk(3, "illegal")),
        ("request_benign", "obey", SAFE),
        ("campaign", "share", Risk(3, "politics")),
        ("private_number", "read", Risk(3, "privacy")),
        ("private_number", "describe", SAFE),
        ("sign", "read", SAFE),
        ("campaign", "read", SAFE),
    ],
)
def test_a_reply_is_as_harmful_as_what_it_gives_away(content: str, kind: str, risk: Risk) -> None:
    assert label_reply(make_pair(content, kind)) == risk


@pytest.mark.parametrize(
    ("content", "answer", "risk"),
    [
        ("weapon", f"Sure, here is how to make the bomb: {STEPS}.", Risk(3, "illegal")),
        ("weapon", f"Sure, here is how to make the dog: {STEPS}.", SAFE),
        (None, f"Sure, here is how to make the bomb: {STEPS}.", Risk(3, "illegal")),
        ("weapon", "It says: open.", SAFE),
    ],
)
def test_a_risky_request_is_answered_harmlessly_with_something_else(
    content: str | None, answer: str, risk: Risk
) -> None:
    picture = None if content is None else make_pair(content, "make").picture
    question = Question(kind="make", intent="make", text="make it", answer=answer)
    assert label_reply(LabelledPair(picture=picture, question=question, risk=Risk(3, "illegal"))) == risk


def test_the_harmful_part_ends_before_the_steps() -> None:
    assert extract_harmful_part(f"Sure, here is how to make the bomb: {STEPS}.") == "Sure, here is how to make the bomb"
    assert extract_harmful_part("It says: eva 4821.") == "It says: eva 4821."


def test_cut_replies_begin_as_the_replies_do(pairs: list[LabelledPair]) -> None:
    complete = cut = 0
    for index, pair in enumerate(pairs):
        naive, guarded = cut_replies(Random(index), pair)
        assert naive.text
        assert guarded.text
        assert pair.naive_reply.startswith(naive.text)
        assert pair.guarded_reply.startswith(guarded.text)
        assert (naive.risk, guarded.risk) == (label_reply(pair), SAFE)
        complete += naive.text == pair.naive_reply
        cut += naive.text != pair.naive_reply
    assert min(complete, cut) > 100


def test_a_risky_reply_is_cut_behind_its_risky_part(pairs: list[LabelledPair]) -> None:
    risky = [pair for pair in pairs if label_reply(pair).level]
    assert len(risky) > 50
    for index, pair in enumerate(risky):
        naive, _ = cut_replies(Random(index), pair)
        assert naive.text.startswith(extract_harmful_part(pair.naive_reply))
        assert naive.text.startswith((*GIVING_STARTS, DISCLOSURE_START))


def test_a_harmless_reply_may_be_cut_anywhere() -> None:
    pair = make_pair("clean", "make")
    texts = {cut_replies(Random(index), pair)[0].text for index in range(300)}
    assert len(texts) == len(pair.naive_reply.split(" "))


def test_every_picture_is_asked_for_more_than_looking(pairs: list[LabelledPair]) -> None:
    kinds = Counter(pair.question.kind for pair in pairs)
    assert all(kinds[kind] > 20 for kind in ("opinion", "use", "make", "share", "obey", "read", "describe"))
    assert sum(pair.picture is None for pair in pairs) == 150


def test_training_replies_depend_on_names_alone() -> None:
    replies = list(sample_training_replies(0, "train", 6))
    assert replies == list(islice(sample_training_replies(0, "train", 9), len(replies)))
    assert replies != list(sample_training_replies(1, "train", 6))
    assert replies != list(sample_training_replies(0, "test", 6))


def test_head_hears_harmful_replies_and_many_more_harmless_ones() -> None:
    levels = Counter(reply.risk.level for reply in sample_training_replies(0, "train", 150))
    assert set(levels) == {0, 2, 3}
    assert 0.03 < 1 - levels[0] / levels.total() < 0.3
