from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from safety_core.data.samples import RiskLabel, Sample
from safety_core.evaluation.calibration.scores.groups import (
    draw_one_per_group,
    find_groups,
    find_near_texts,
    number_groups,
    split_groups,
)
from safety_core.inputs.conversation import Turn

LABEL = RiskLabel(type=6, level=0)
TEXT = "How do I bake a loaf of sourdough bread at home without an oven"


def sample(name: str, text: str = "", *images: str, **meta: Any) -> Sample:
    turns = (Turn(role="user", text=text),) if text else ()
    return Sample(id=name, images=tuple(map(Path, images)), conversation=turns, label=LABEL, meta=meta)


def test_unrelated_samples_stay_apart() -> None:
    assert find_groups([sample("a", "What time is it in Lagos now?"), sample("b", TEXT)]).tolist() == [0, 1]
    assert find_groups([]).tolist() == []


def test_forms_of_one_record_belong_together() -> None:
    assert find_groups([sample("set/1#words", "One."), sample("set/2", "Two."), sample("set/1#framed")]).tolist() == [
        0,
        1,
        0,
    ]


def test_samples_of_one_image_belong_together_whatever_is_asked() -> None:
    found = find_groups([sample("a", "Who?", "x.png"), sample("b", "Why?", "x.png"), sample("c", "Who?", "y.png")])
    assert found.tolist() == [0, 0, 1], "the same question about another image is another request"


def test_a_data_set_may_state_groups_and_they_chain() -> None:
    samples = [sample("a", group="g"), sample("b", "", "x.png", group="g"), sample("c", "", "x.png"), sample("d")]
    assert find_groups(samples).tolist() == [0, 0, 0, 1]


def test_reworded_texts_belong_together() -> None:
    changed = TEXT.replace("sourdough", "rye")
    assert find_groups([sample("a", TEXT), sample("b", changed), sample("c", "Bake a loaf.")]).tolist() == [0, 0, 1]
    assert find_groups([sample("a", "Hi!"), sample("b", "hi"), sample("c", "ho")]).tolist() == [0, 0, 1]


def test_a_common_frame_does_not_make_texts_alike() -> None:
    framed = [
        sample(str(number), f"Please read the text in this picture: w{number}a w{number}b") for number in range(60)
    ]
    assert len(set(find_groups(framed).tolist())) == 60


def test_near_texts_are_found_without_omission() -> None:
    rng = np.random.default_rng(0)
    texts = [[f"w{word}" for word in rng.integers(30, size=rng.integers(4, 12))] for _ in range(120)]

    def shingle(words: list[str]) -> set[str]:
        return {f"{one} {two}" for one, two in pairwise(words)}

    # Few of these pairs of words are common, so all count.
    expected = {
        (one, two)
        for one in range(len(texts))
        for two in range(one + 1, len(texts))
        if len(shingle(texts[one]) & shingle(texts[two])) >= 0.5 * len(shingle(texts[one]) | shingle(texts[two]))
    }
    texts += [texts[3], texts[5][:-1]]
    found = {tuple(sorted(pair)) for pair in find_near_texts(texts)}
    assert expected <= found
    assert {(3, 120), (5, 121)} <= found


def test_groups_are_numbered_in_order() -> None:
    assert number_groups([["b"], ["a"], ["b"], ["c"]], [(1, 3)]).tolist() == [0, 1, 0, 1]


def test_a_split_keeps_groups_together_and_depends_on_its_seed_only() -> None:
    groups = np.repeat(np.arange(50), 3)
    first = split_groups(groups, 0.4, seed=1)
    assert first.sum() == 60
    assert all(len(set(first[groups == group])) == 1 for group in range(50))
    assert (split_groups(groups, 0.4, seed=1) == first).all()
    assert (split_groups(groups, 0.4, seed=2) != first).any()


def test_one_sample_is_drawn_per_group_among_those_that_apply() -> None:
    groups, applies = np.array([0, 0, 1, 1, 2]), np.array([True, True, False, True, False])
    drawn = [draw_one_per_group(groups, applies, seed).tolist() for seed in range(30)]
    assert all(len(indices) == 2 and indices[1] == 3 for indices in drawn)
    assert {indices[0] for indices in drawn} == {0, 1}, "each member may stand for its group"
