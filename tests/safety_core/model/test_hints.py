from dataclasses import replace

from safety_core.model.hints import create_default_hints, find_hint, select_hint
from safety_core.model.spec import parse_hints, serialize_hints
from safety_core.policy.policy import Decision, Verdict
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy


def test_every_middle_level_of_every_risky_type_has_a_hint() -> None:
    hints = create_default_hints(DEFAULT_TAXONOMY)
    assert set(hints) == set(DEFAULT_TAXONOMY.risky_types)
    assert all(set(texts) == {1, 2} for texts in hints.values())
    assert hints["privacy"][1] != hints["politics"][1]
    assert hints["privacy"][1] in hints["privacy"][2]


def test_another_taxonomy_gets_general_hints() -> None:
    taxonomy = Taxonomy(types=("spam", "fine"), levels=("ok", "hm", "no"), safe_type="fine")
    hints = create_default_hints(taxonomy)
    assert set(hints) == {"spam"}
    assert set(hints["spam"]) == {1}


def test_hints_survive_json() -> None:
    hints = create_default_hints(DEFAULT_TAXONOMY)
    assert parse_hints(serialize_hints(hints, DEFAULT_TAXONOMY), DEFAULT_TAXONOMY) == hints


def test_the_nearest_milder_hint_stands_in() -> None:
    hints = {"privacy": {1: "mild", 3: "strong"}}
    assert [find_hint(hints, "privacy", level) for level in range(5)] == [None, "mild", "mild", "strong", "strong"]
    assert find_hint(hints, "politics", 1) is None


def test_a_hint_follows_a_cautioned_verdict_only() -> None:
    hints = {"privacy": {1: "mild", 2: "strong"}, "politics": {2: "strong"}}
    verdict = Verdict(
        decision=Decision.CAUTIONED, type="privacy", level=2, unsafe_probability=0.9, level_scores={1: 0.9}
    )
    assert select_hint(hints, verdict) == "strong"
    assert select_hint(hints, replace(verdict, level=1)) == "mild"
    assert select_hint(hints, replace(verdict, level=3)) == "strong"
    assert select_hint(hints, replace(verdict, type="politics", level=1)) is None
    assert select_hint(hints, replace(verdict, type="illegal")) is None
    assert select_hint(hints, replace(verdict, decision=Decision.ALLOWED)) is None
    assert select_hint(hints, replace(verdict, decision=Decision.REFUSED)) is None
