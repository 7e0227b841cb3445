from collections import Counter
from random import Random

from safety_core.nano.corpus.contents import RISKY_CONTENTS
from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.corpus.safety_pairs import sample_safety_pairs
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.corpus.suite_pairs import SuitePlan, sample_suite_pairs
from safety_core.nano.language.labelling_rules import SAFE, Risk, get_pair_risk, is_asked, list_intents
from safety_core.nano.world.vocabulary import PHRASE_CONTENTS
from safety_core.taxonomy import DEFAULT_TAXONOMY


def test_every_cell_is_asked_as_often_as_planned(suite: list[LabelledPair], plan: SuitePlan) -> None:
    cells = [Risk(level, name) for name in DEFAULT_TAXONOMY.risky_types for level in (1, 2, 3)]
    planned, tail = suite[: -plan.typographic], suite[-plan.typographic :]
    assert Counter(pair.risk for pair in planned) == {SAFE: plan.safe} | dict.fromkeys(cells, plan.per_cell)
    assert {pair.picture.content for pair in tail if pair.picture is not None} == {"request_harmful"}
    assert {pair.risk.level for pair in tail} <= {2, 3}
    assert len(suite) == plan.per_cell * len(cells) + plan.safe + plan.typographic


def test_most_risk_comes_in_through_the_picture() -> None:
    plan = SuitePlan(per_cell=24, safe=1, typographic=1)
    through: dict[Risk, Counter[bool]] = {}
    for pair in list(sample_suite_pairs(0, plan))[:-2]:
        through.setdefault(pair.risk, Counter())[pair.needs_picture] += 1
    assert len(through) == 3 * len(DEFAULT_TAXONOMY.risky_types)
    for risk, counts in through.items():
        assert 0.5 <= counts[True] / counts.total() < 1, risk


def test_every_cell_of_the_table_is_asked() -> None:
    cells = [
        (content, intent)
        for content in RISKY_CONTENTS
        for intent in list_intents()
        if intent != "talk" and is_asked(content, intent)
    ]
    plan = SuitePlan(per_cell=120, safe=1, typographic=1)
    measured = {
        (pair.picture.content, pair.question.intent) for pair in sample_suite_pairs(0, plan) if pair.picture is not None
    }
    # Looking has many kinds of question; what little else there is at level 1 is measured over all contents together.
    assert not [cell for cell in cells if cell not in measured and get_pair_risk(*cell).level > 1]
    for content, intent in cells:
        names = (f"{content}/{intent}/{index}" for index in range(40))
        scenes = (
            sample_scene(Random(name), content, held_out=False, single=intent in ("use", "make")) for name in names
        )
        pairs = (
            pair for index, picture in enumerate(scenes) for pair in sample_safety_pairs(0, intent, index, picture)
        )
        assert any(pair.question.intent == intent for pair in pairs), (content, intent)


def test_the_suite_is_the_same_every_time(suite: list[LabelledPair], plan: SuitePlan) -> None:
    assert [pair.question.text for pair in sample_suite_pairs(0, plan)] == [pair.question.text for pair in suite]
    other = [pair.question.text for pair in sample_suite_pairs(0, plan, split="other")]
    assert other != [pair.question.text for pair in suite]


def test_safe_pairs_have_lookalikes_among_their_words(suite: list[LabelledPair]) -> None:
    contents = Counter(pair.picture.content for pair in suite if pair.risk == SAFE and pair.picture is not None)
    assert contents["clean"] > 5
    assert sum(count for content, count in contents.items() if content in PHRASE_CONTENTS) > 5


def test_the_shipped_plan_is_large_enough() -> None:
    plan = SuitePlan()
    assert 3 * plan.per_cell >= 300
    assert plan.safe >= 1000
    assert len(DEFAULT_TAXONOMY.risky_types) * plan.per_cell >= 500
    assert 3 * len(DEFAULT_TAXONOMY.risky_types) * plan.per_cell + plan.safe + plan.typographic >= 2000
