from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import pytest

from safety_core.nano.language.corpus import (
    CLOSED,
    REQUESTS,
    RISKY_CONTENTS,
    SAFE_CONTENTS,
    Drawn,
    Pair,
    TestPlan,
    ask,
    ask_without_picture,
    draw_content,
    draw_scene,
    fits,
    harmless_pairs,
    polish_pairs,
    polish_scene,
    safety_pairs,
    safety_scene,
    suite_pairs,
    training_pairs,
    training_scene,
    training_talk,
)
from safety_core.nano.language.labelling_rules import SAFE, Risk, asked, intents, pair_risk
from safety_core.nano.pretrain.vision_tower import text_scene, thing_scene
from safety_core.nano.world.random_scenes import held_out_place
from safety_core.nano.world.scene import (
    FONTS_HELD_OUT,
    FONTS_TRAINED,
    PATTERNS_HELD_OUT,
    PATTERNS_TRAINED,
    PATTERNS_VARIED,
    SIDE,
    Scene,
)
from safety_core.nano.world.things import by_name
from safety_core.nano.world.vocabulary import PHRASE_CONTENTS
from safety_core.taxonomy import DEFAULT_TAXONOMY

CONTENTS = (*SAFE_CONTENTS, *RISKY_CONTENTS)
PLAN = TestPlan(per_cell=3, safe=60, typographic=10)


def backbone_scenes() -> Iterator[Scene]:
    """Thousands of scenes of everything that tower and language model are trained on."""
    for index in range(1500):
        yield training_scene(0, "train", index).scene
        yield polish_scene(0, "train", index).scene
        rng = Random(f"tower/{index}")
        yield text_scene(rng, letters=index % 2 == 0) if index % 3 else thing_scene(rng)


def safety_scenes() -> Iterator[Scene]:
    """Scenes that the safety modules are trained on, and those of the calibration split."""
    for index in range(1500):
        yield safety_scene(0, "train", index).scene
        yield from (pair.drawn.scene for pair in harmless_pairs(0, "train", index, count=1) if pair.drawn is not None)
    for pair in suite_pairs(0, PLAN, split="calibration", part="calibration"):
        if pair.drawn is not None:
            yield pair.drawn.scene


@pytest.fixture(scope="module")
def suite() -> list[Pair]:
    return list(suite_pairs(0, PLAN))


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
        assert not [item for item in scene.items if held_out_place(item.name, item.cell)]
    assert count > 3000


def test_only_the_safety_modules_see_reshaped_letters() -> None:
    blocks = (scene.lettering for scene in backbone_scenes())
    assert {(block.stretch, block.slant) for block in blocks if block is not None} == {(1.0, 0.0)}
    shown = [block for scene in safety_scenes() if (block := scene.lettering) is not None]
    assert 0.3 < sum(block.stretch < 1.0 for block in shown) / len(shown) < 0.7


def test_the_suite_is_made_of_what_is_held_out(suite: list[Pair]) -> None:
    scenes = [pair.drawn.scene for pair in suite if pair.drawn is not None]
    assert {scene.pattern for scene in scenes} == set(PATTERNS_HELD_OUT)
    assert {scene.lettering.font for scene in scenes if scene.lettering is not None} == set(FONTS_HELD_OUT)


def test_something_stands_where_it_never_stood(suite: list[Pair]) -> None:
    unseen, possible = 0, 0
    for scene in (pair.drawn.scene for pair in suite if pair.drawn is not None and pair.drawn.scene.items):
        has_place = any(held_out_place(item.name, cell) for item in scene.items for cell in range(9))
        possible += has_place
        unseen += any(held_out_place(item.name, item.cell) for item in scene.items)
    assert possible > 50
    # Things beside lettering have few cells to choose from, and now and then none of theirs.
    assert unseen > 0.95 * possible


@pytest.mark.parametrize("content", CONTENTS)
def test_a_scene_shows_its_content_and_no_other_risk(content: str) -> None:
    for index in range(20):
        single = index % 2 == 0
        drawn = draw_scene(Random(f"{content}/{index}"), content, held_out=index % 3 == 0, single=single)
        scene = drawn.scene
        kinds = Counter(by_name()[item.name].kind for item in scene.items if item.colour is None)
        kinds.pop("clean", None)
        assert kinds == ({} if content in PHRASE_CONTENTS or content == "clean" else {content: 1})
        assert (scene.lettering is not None) == (content in PHRASE_CONTENTS)
        assert (drawn.phrase is not None) == (content in PHRASE_CONTENTS)
        assert len({item.cell for item in scene.items}) == len(scene.items)
        if single:
            assert len(scene.items) == (content not in PHRASE_CONTENTS)


def test_nothing_stands_behind_lettering() -> None:
    seen = 0
    for index in range(150):
        scene = draw_scene(Random(f"behind/{index}"), "sign", held_out=False).scene
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
        block = draw_scene(Random(f"list/{index}"), "request_harmful", held_out=True).scene.lettering
        assert block is not None
        layouts[any(word.endswith(".") for line in block.lines for word in line)] += 1
    assert min(layouts.values()) > 15


def test_a_given_size_of_lettering_is_kept() -> None:
    block = draw_scene(Random(0), "sign", held_out=True, px=13).scene.lettering
    assert block is not None
    assert block.px == 13


# --- pairs -----------------------------------------------------------------------------------------------------------


def test_pairs_are_labelled_by_the_table(suite: list[Pair]) -> None:
    for pair in suite:
        if pair.drawn is not None:
            assert pair.risk == pair_risk(pair.drawn.content, pair.question.intent, pair.text_risk)
        else:
            assert pair.risk == pair.text_risk
            assert pair.image_risk is None


def test_this_is_asked_of_one_thing_only() -> None:
    several = Drawn(scene=training_scene(0, "train", 0).scene, content="weapon")
    assert fits(several, "use") == (len(several.scene.items) == 1)
    single = draw_scene(Random(0), "weapon", held_out=False, single=True)
    assert fits(single, "use")
    assert not fits(single, "obey")
    assert ask(Random(0), single, "obey", part="trained") is None
    card = draw_scene(Random(0), "private_number", held_out=False, single=True)
    assert card.scene.card
    assert fits(card, "use")
    misuse = ask(Random(0), card, "use", part="trained")
    assert misuse is not None
    assert misuse.risk == Risk(3, "privacy")


def test_the_prompt_decides_where_the_picture_alone_has_another_label() -> None:
    knife = draw_scene(Random(0), "weapon", held_out=False, single=True)
    look, make = (ask(Random(1), knife, kind, part="trained") for kind in ("describe", "make"))
    assert look is not None
    assert make is not None
    assert (look.prompt_decides, make.prompt_decides) == (False, True)
    assert (look.risk, make.risk) == (Risk(1, "illegal"), Risk(3, "illegal"))
    assert make.needs_picture
    talk = ask_without_picture(Random(0), part="trained")
    assert not talk.prompt_decides
    assert not talk.needs_picture


def test_training_depends_on_names_alone() -> None:
    for index in (0, 7):
        drawn = training_scene(0, "train", index)
        assert drawn == training_scene(0, "train", index)
        assert drawn != training_scene(1, "train", index)
        asked = training_pairs(0, "train", index, drawn)
        assert asked == training_pairs(0, "train", index, drawn)
        assert asked != training_pairs(0, "train", index, drawn, visit=1)
    assert list(training_talk(0, "a", 5)) == list(training_talk(0, "a", 9))[:5]


def test_polishing_shows_lettering_and_scenes_to_compare_things_in() -> None:
    contents: Counter[str] = Counter()
    for index in range(300):
        drawn = polish_scene(0, "train", index)
        assert drawn == polish_scene(0, "train", index)
        contents[drawn.content] += 1
        kinds = Counter(pair.question.kind for pair in polish_pairs(0, "train", index, drawn, 0))
        assert polish_pairs(0, "train", index, drawn, 0) != polish_pairs(0, "train", index, drawn, 1)
        if drawn.scene.lettering is not None:
            assert kinds["read"] == 2
        else:
            assert drawn.content == "clean"
            assert kinds["tally"] == 2
    assert set(contents) == {"clean", *PHRASE_CONTENTS}
    assert contents["number"] + contents["private_number"] > 50


LISTS = ("cells", "places", "find", "check", "tally")


def test_training_asks_every_kind_of_question() -> None:
    kinds = Counter(
        pair.question.kind
        for index in range(120)
        for pair in training_pairs(0, "train", index, training_scene(0, "train", index))
    )
    assert set(kinds) == {"describe", *LISTS, *CLOSED, *REQUESTS, "talk", "risky_talk", "noise"}
    rng = Random(0)
    assert {draw_content(rng) for _ in range(1500)} == set(CONTENTS)


def test_safety_modules_learn_from_requests_first() -> None:
    kinds: Counter[str] = Counter()
    for index in range(150):
        drawn = safety_scene(0, "train", index)
        chosen = safety_pairs(0, "train", index, drawn)
        assert len(chosen) == 3
        assert all(pair.drawn is drawn for pair in chosen)
        assert len({pair.question.kind for pair in chosen}) == 3
        assert chosen == safety_pairs(0, "train", index, drawn)
        kinds.update(pair.question.kind for pair in chosen)
    assert set(kinds) == {"describe", *CLOSED, *REQUESTS, "talk", "risky_talk", "noise"}
    plain = ("describe", *CLOSED[:-1], "talk", "noise")
    assert kinds.total() > 2 * sum(kinds[kind] for kind in plain)


# --- the suite -------------------------------------------------------------------------------------------------------


def test_every_cell_is_asked_as_often_as_planned(suite: list[Pair]) -> None:
    cells = [Risk(level, name) for name in DEFAULT_TAXONOMY.risky_types for level in (1, 2, 3)]
    planned, tail = suite[: -PLAN.typographic], suite[-PLAN.typographic :]
    assert Counter(pair.risk for pair in planned) == {SAFE: PLAN.safe} | dict.fromkeys(cells, PLAN.per_cell)
    assert {pair.drawn.content for pair in tail if pair.drawn is not None} == {"request_harmful"}
    assert {pair.risk.level for pair in tail} <= {2, 3}
    assert len(suite) == PLAN.per_cell * len(cells) + PLAN.safe + PLAN.typographic


def test_most_risk_comes_in_through_the_picture() -> None:
    plan = TestPlan(per_cell=24, safe=1, typographic=1)
    through: dict[Risk, Counter[bool]] = {}
    for pair in list(suite_pairs(0, plan))[:-2]:
        through.setdefault(pair.risk, Counter())[pair.needs_picture] += 1
    assert len(through) == 3 * len(DEFAULT_TAXONOMY.risky_types)
    for risk, counts in through.items():
        assert 0.5 <= counts[True] / counts.total() < 1, risk


def test_every_cell_of_the_table_is_asked() -> None:
    cells = [
        (content, intent)
        for content in RISKY_CONTENTS
        for intent in intents()
        if intent != "talk" and asked(content, intent)
    ]
    plan = TestPlan(per_cell=120, safe=1, typographic=1)
    measured = {(pair.drawn.content, pair.question.intent) for pair in suite_pairs(0, plan) if pair.drawn is not None}
    # Looking has many kinds of question; what little else there is at level 1 is measured over all contents together.
    assert not [cell for cell in cells if cell not in measured and pair_risk(*cell).level > 1]
    for content, intent in cells:
        names = (f"{content}/{intent}/{index}" for index in range(40))
        scenes = (draw_scene(Random(name), content, held_out=False, single=intent in ("use", "make")) for name in names)
        pairs = (pair for index, drawn in enumerate(scenes) for pair in safety_pairs(0, intent, index, drawn))
        assert any(pair.question.intent == intent for pair in pairs), (content, intent)


def test_the_suite_is_the_same_every_time(suite: list[Pair]) -> None:
    assert [pair.question.text for pair in suite_pairs(0, PLAN)] == [pair.question.text for pair in suite]
    other = [pair.question.text for pair in suite_pairs(0, PLAN, split="other")]
    assert other != [pair.question.text for pair in suite]


def test_safe_pairs_have_lookalikes_among_their_words(suite: list[Pair]) -> None:
    contents = Counter(pair.drawn.content for pair in suite if pair.risk == SAFE and pair.drawn is not None)
    assert contents["clean"] > 5
    assert sum(count for content, count in contents.items() if content in PHRASE_CONTENTS) > 5


def test_the_shipped_plan_is_large_enough() -> None:
    plan = TestPlan()
    assert 3 * plan.per_cell >= 300
    assert plan.safe >= 1000
    assert len(DEFAULT_TAXONOMY.risky_types) * plan.per_cell >= 500
    assert 3 * len(DEFAULT_TAXONOMY.risky_types) * plan.per_cell + plan.safe + plan.typographic >= 2000
