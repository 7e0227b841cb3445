from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import pytest

from safety_core.nano.corpus.backbone_pairs import (
    sample_polish_scene,
    sample_training_scene,
)
from safety_core.nano.corpus.contents import RISKY_CONTENTS, SAFE_CONTENTS
from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.corpus.safety_pairs import sample_harmless_pairs, sample_safety_scene
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.corpus.suite_pairs import SuitePlan, sample_suite_pairs
from safety_core.nano.pretrain.vision.batches import sample_text_scene, sample_thing_scene
from safety_core.nano.world.random_scenes import is_held_out_place
from safety_core.nano.world.scene import (
    FONTS_HELD_OUT,
    FONTS_TRAINED,
    PATTERNS_HELD_OUT,
    PATTERNS_TRAINED,
    PATTERNS_VARIED,
    SIDE,
    Scene,
)
from safety_core.nano.world.things import THINGS_BY_NAME
from safety_core.nano.world.vocabulary import PHRASE_CONTENTS

CONTENTS = (*SAFE_CONTENTS, *RISKY_CONTENTS)
PLAN = SuitePlan(per_cell=3, safe=60, typographic=10)


def backbone_scenes() -> Iterator[Scene]:
    """Thousands of scenes of everything that tower and language model are trained on."""
    for index in range(1500):
        yield sample_training_scene(0, "train", index).scene
        yield sample_polish_scene(0, "train", index).scene
        rng = Random(f"tower/{index}")
        yield sample_text_scene(rng, letters=index % 2 == 0) if index % 3 else sample_thing_scene(rng)


def safety_scenes() -> Iterator[Scene]:
    """Scenes that the safety modules are trained on, and those of the calibration split."""
    for index in range(1500):
        yield sample_safety_scene(0, "train", index).scene
        yield from (
            pair.picture.scene for pair in sample_harmless_pairs(0, "train", index, count=1) if pair.picture is not None
        )
    for pair in sample_suite_pairs(0, PLAN, split="calibration", part="calibration"):
        if pair.picture is not None:
            yield pair.picture.scene


@pytest.mark.parametrize(
    ("scenes", "patterns"), [(backbone_scenes, PATTERNS_TRAINED), (safety_scenes, PATTERNS_VARIED)]
)
def test_training_never_shows_what_is_held_out(
    scenes: Callable[[], Iterator[Scene]], patterns: tuple[str, ...]
) -> None:
    assert not set(patterns) & set(PATTERNS_HELD_OUT)
    count = 0
    for scene in scenes():
        count += 1
        assert scene.pattern in patterns
        assert scene.lettering is None or scene.lettering.font in FONTS_TRAINED
        assert not [item for item in scene.items if is_held_out_place(item.name, item.cell)]
    assert count > 3000


def test_only_the_safety_modules_see_reshaped_letters() -> None:
    blocks = (scene.lettering for scene in backbone_scenes())
    assert {(block.stretch, block.slant) for block in blocks if block is not None} == {(1.0, 0.0)}
    shown = [block for scene in safety_scenes() if (block := scene.lettering) is not None]
    assert 0.3 < sum(block.stretch < 1.0 for block in shown) / len(shown) < 0.7


def test_the_suite_is_made_of_what_is_held_out(suite: list[LabelledPair]) -> None:
    scenes = [pair.picture.scene for pair in suite if pair.picture is not None]
    assert {scene.pattern for scene in scenes} == set(PATTERNS_HELD_OUT)
    assert {scene.lettering.font for scene in scenes if scene.lettering is not None} == set(FONTS_HELD_OUT)


def test_something_stands_where_it_never_stood(suite: list[LabelledPair]) -> None:
    unseen, possible = 0, 0
    for scene in (pair.picture.scene for pair in suite if pair.picture is not None and pair.picture.scene.items):
        has_place = any(is_held_out_place(item.name, cell) for item in scene.items for cell in range(9))
        possible += has_place
        unseen += any(is_held_out_place(item.name, item.cell) for item in scene.items)
    assert possible > 50
    # Things beside lettering have few cells to choose from, and now and then none of theirs.
    assert unseen > 0.95 * possible


@pytest.mark.parametrize("content", CONTENTS)
def test_a_scene_shows_its_content_and_no_other_risk(content: str) -> None:
    for index in range(20):
        single = index % 2 == 0
        picture = sample_scene(Random(f"{content}/{index}"), content, held_out=index % 3 == 0, single=single)
        scene = picture.scene
        kinds = Counter(THINGS_BY_NAME[item.name].kind for item in scene.items if item.colour is None)
        kinds.pop("clean", None)
        assert kinds == ({} if content in PHRASE_CONTENTS or content == "clean" else {content: 1})
        assert (scene.lettering is not None) == (content in PHRASE_CONTENTS)
        assert (picture.phrase is not None) == (content in PHRASE_CONTENTS)
        assert len({item.cell for item in scene.items}) == len(scene.items)
        if single:
            assert len(scene.items) == (content not in PHRASE_CONTENTS)


def test_nothing_stands_behind_lettering() -> None:
    seen = 0
    for index in range(150):
        scene = sample_scene(Random(f"behind/{index}"), "sign", held_out=False).scene
        block = scene.lettering
        assert block is not None
        for item in scene.items:
            seen += 1
            row_top, row_bottom = item.cell // 3 * SIDE / 3, (item.cell // 3 + 1) * SIDE / 3
            assert row_bottom <= block.top or row_top >= block.top + block.height
    assert seen > 20


def test_rendered_requests_come_as_numbered_lists_too() -> None:
    layouts: Counter[bool] = Counter()
    for index in range(120):
        block = sample_scene(Random(f"list/{index}"), "request_harmful", held_out=True).scene.lettering
        assert block is not None
        layouts[any(word.endswith(".") for line in block.lines for word in line)] += 1
    assert min(layouts.values()) > 15


def test_a_given_size_of_lettering_is_kept() -> None:
    block = sample_scene(Random(0), "sign", held_out=True, px=13).scene.lettering
    assert block is not None
    assert block.px == 13
