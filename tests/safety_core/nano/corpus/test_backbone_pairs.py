from collections import Counter
from random import Random

from safety_core.nano.corpus.backbone_pairs import (
    sample_polish_pairs,
    sample_polish_scene,
    sample_talk_pairs,
    sample_training_pairs,
    sample_training_scene,
)
from safety_core.nano.corpus.contents import CLOSED, REQUESTS, RISKY_CONTENTS, SAFE_CONTENTS, sample_content
from safety_core.nano.world.vocabulary import PHRASE_CONTENTS

CONTENTS = (*SAFE_CONTENTS, *RISKY_CONTENTS)
LISTS = ("cells", "places", "find", "check", "tally")


def test_training_depends_on_names_alone() -> None:
    for index in (0, 7):
        picture = sample_training_scene(0, "train", index)
        assert picture == sample_training_scene(0, "train", index)
        assert picture != sample_training_scene(1, "train", index)
        pairs = sample_training_pairs(0, "train", index, picture)
        assert pairs == sample_training_pairs(0, "train", index, picture)
        assert pairs != sample_training_pairs(0, "train", index, picture, visit=1)
    assert list(sample_talk_pairs(0, "a", 5)) == list(sample_talk_pairs(0, "a", 9))[:5]


def test_polishing_shows_lettering_and_scenes_to_compare_things_in() -> None:
    contents: Counter[str] = Counter()
    for index in range(300):
        picture = sample_polish_scene(0, "train", index)
        assert picture == sample_polish_scene(0, "train", index)
        contents[picture.content] += 1
        kinds = Counter(pair.question.kind for pair in sample_polish_pairs(0, "train", index, picture, 0))
        assert sample_polish_pairs(0, "train", index, picture, 0) != sample_polish_pairs(0, "train", index, picture, 1)
        if picture.scene.lettering is not None:
            assert kinds["read"] == 2
        else:
            assert picture.content == "clean"
            assert kinds["tally"] == 2
    assert set(contents) == {"clean", *PHRASE_CONTENTS}
    assert contents["number"] + contents["private_number"] > 50


def test_training_asks_every_kind_of_question() -> None:
    kinds = Counter(
        pair.question.kind
        for index in range(120)
        for pair in sample_training_pairs(0, "train", index, sample_training_scene(0, "train", index))
    )
    assert set(kinds) == {"describe", *LISTS, *CLOSED, *REQUESTS, "talk", "risky_talk", "noise"}
    rng = Random(0)
    assert {sample_content(rng) for _ in range(1500)} == set(CONTENTS)
