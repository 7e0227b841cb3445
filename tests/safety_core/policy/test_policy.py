"""The decision rule against its definition, and policy files against damage."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_core.errors import ConfigError, PolicyError
from safety_core.model.hints import select_hint
from safety_core.policy.documents import overlay_policy, parse_policy
from safety_core.policy.policy import (
    NO_VERDICT,
    NOVEL,
    Action,
    Decision,
    NoveltyRule,
    Policy,
    compute_level_scores,
    decide,
    decide_worst,
)
from safety_core.scores import Novelty, PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

T = DEFAULT_TAXONOMY
DEFAULT = Policy.create_default(T)
SMALL = Taxonomy(types=("harm", "spam", "fine"), levels=("ok", "bad"), safe_type="fine")


def scores(levels: tuple[float, ...], **types: float) -> RiskScores:
    """Type scores by name (the rest goes to the safe type) and level scores."""
    by_name = {"safe": 1.0 - sum(types.values()), **types}
    return RiskScores(types=tuple(by_name.get(name, 0.0) for name in T.types), levels=levels)


SAFE = scores((0.97, 0.01, 0.01, 0.01), illegal=0.02)
CAREFUL = scores((0.1, 0.6, 0.2, 0.1), privacy=0.9)
WORST = scores((0.05, 0.05, 0.1, 0.8), illegal=0.9)
NAN = replace(SAFE, levels=(math.nan, 0.0, 0.0, 1.0))


def pair(
    *per_image: RiskScores,
    joint: RiskScores | None = None,
    image: RiskScores | None = None,
    text: RiskScores | None = None,
) -> PairScores:
    return PairScores(joint=joint, per_image=per_image, image=image, text=text)


@pytest.mark.parametrize(
    ("given_scores", "decision", "kind", "level"),
    [
        (SAFE, Decision.ALLOWED, "illegal", 0),
        (CAREFUL, Decision.CAUTIONED, "privacy", 1),
        (scores((0.1, 0.1, 0.5, 0.3), fairness=0.8), Decision.CAUTIONED, "fairness", 2),
        (WORST, Decision.REFUSED, "illegal", 3),
    ],
)
def test_the_highest_level_reached_decides(given_scores: RiskScores, decision: Decision, kind: str, level: int) -> None:
    verdict = decide(DEFAULT, T, given_scores)
    assert (verdict.decision, verdict.type, verdict.level) == (decision, kind, level)
    assert verdict.reason is None
    assert verdict.flagged is (decision is not Decision.ALLOWED)


def test_level_scores_are_tails_weighed_by_enabled_types() -> None:
    mixed = scores((0.2, 0.3, 0.1, 0.4), illegal=0.6, politics=0.2)
    assert compute_level_scores(DEFAULT, T, mixed) == pytest.approx({1: 0.8, 2: 0.5, 3: 0.4})
    without_illegal = replace(DEFAULT, enabled=DEFAULT.enabled - {"illegal"})
    assert compute_level_scores(without_illegal, T, mixed) == pytest.approx({1: 0.2, 2: 0.125, 3: 0.1})
    verdict = decide(without_illegal, T, mixed)
    assert (verdict.type, verdict.decision) == ("politics", Decision.ALLOWED)
    assert verdict.unsafe_probability == pytest.approx(0.2)


def test_the_safe_type_never_decides() -> None:
    assert decide(DEFAULT, T, scores((0.0, 0.0, 0.0, 1.0), illegal=0.01)).decision is Decision.REFUSED


def test_with_no_risky_probability_left_the_levels_speak() -> None:
    assert decide(DEFAULT, T, scores((0.0, 0.0, 0.0, 1.0))).decision is Decision.REFUSED


def test_no_enabled_type_allows_everything() -> None:
    verdict = decide(replace(DEFAULT, enabled=frozenset()), T, WORST)
    assert (verdict.decision, verdict.type, verdict.unsafe_probability) == (Decision.ALLOWED, "safe", 0.0)


def test_thresholds_and_actions_are_per_type() -> None:
    strict = overlay_policy(DEFAULT, {"thresholds": {"privacy": {"3": 0.1}}, "actions": {"illegal": {3: "allow"}}}, T)
    assert decide(strict, T, CAREFUL).decision is Decision.REFUSED
    assert decide(strict, T, WORST).decision is Decision.ALLOWED


@given(st.integers(0, 6), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_scores_that_are_not_numbers_refuse(position: int, bad: float) -> None:
    types = tuple(bad if i == position else value for i, value in enumerate(SAFE.types))
    verdict = decide(DEFAULT, T, replace(SAFE, types=types))
    assert (verdict.decision, verdict.reason, verdict.unsafe_probability) == (Decision.REFUSED, NO_VERDICT, 1.0)


def test_scores_of_another_taxonomy_are_our_own_bug() -> None:
    with pytest.raises(ValueError, match="2 level scores for 4 levels"):
        decide(DEFAULT, T, replace(SAFE, levels=(0.5, 0.5)))


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda q: sum(q) > 0), st.floats(0, 1))
def test_beliefs_fall_with_the_level_and_stay_probabilities(levels: list[float], illegal: float) -> None:
    total = sum(levels)
    beliefs = compute_level_scores(DEFAULT, T, scores(tuple(q / total for q in levels), illegal=illegal))
    assert 1.0 + 1e-9 >= beliefs[1] >= beliefs[2] >= beliefs[3] >= 0.0


def test_a_taxonomy_of_two_levels_works() -> None:
    policy = Policy.create_default(SMALL)
    assert policy.actions == {"harm": {1: Action.REFUSE}, "spam": {1: Action.REFUSE}}
    assert decide(policy, SMALL, RiskScores(types=(0.1, 0.8, 0.1), levels=(0.2, 0.8))).type == "spam"


# --- the worst view --------------------------------------------------------------------------------------------------


def test_the_worst_view_decides_by_decision_then_by_probability() -> None:
    verdict, deciding = decide_worst(DEFAULT, T, pair(SAFE, WORST, joint=CAREFUL, image=SAFE, text=SAFE))
    assert deciding is WORST
    assert verdict.decision is Decision.REFUSED
    milder = scores((0.3, 0.5, 0.1, 0.1), privacy=0.9)
    assert decide_worst(DEFAULT, T, pair(milder, joint=CAREFUL))[1] is CAREFUL


def test_surfaces_decide_only_where_they_stand_alone() -> None:
    assert decide_worst(DEFAULT, T, pair(SAFE, joint=SAFE, image=WORST, text=WORST))[0].decision is Decision.ALLOWED
    assert decide_worst(DEFAULT, T, pair(text=WORST))[0].decision is Decision.REFUSED
    assert decide_worst(DEFAULT, T, pair(SAFE, image=WORST))[0].decision is Decision.REFUSED


def test_lettering_decides_beside_the_pictures_and_the_words() -> None:
    for words in (pair(SAFE, joint=SAFE, image=SAFE, text=SAFE), pair(SAFE, image=SAFE)):
        read = replace(words, lettering=(SAFE, WORST, CAREFUL))
        assert decide_worst(DEFAULT, T, read)[1] is WORST
        assert decide_worst(DEFAULT, T, replace(read, lettering=(SAFE,)))[0].decision is Decision.ALLOWED


@pytest.mark.parametrize(
    "unfit",
    [
        replace(pair(SAFE, joint=SAFE), lettering=(SAFE, NAN)),
        pair(),
        pair(SAFE, NAN, joint=SAFE),
        pair(SAFE, joint=NAN),
        pair(SAFE, joint=SAFE, image=NAN),
        pair(text=NAN),
    ],
)
def test_nothing_to_judge_or_a_bad_number_anywhere_refuses(unfit: PairScores) -> None:
    verdict, deciding = decide_worst(DEFAULT, T, unfit)
    assert (verdict.decision, verdict.reason, deciding) == (Decision.REFUSED, NO_VERDICT, None)
    assert DEFAULT.get_refusal(verdict) == DEFAULT.fallback_refusal


# --- parts -----------------------------------------------------------------------------------------------------------


def test_parts_built_in_code_must_agree() -> None:
    with pytest.raises(ConfigError, match=r"policy\.refusals"):
        replace(DEFAULT, refusals={})
    with pytest.raises(ConfigError, match=r"policy\.enabled"):
        replace(DEFAULT, enabled=frozenset({"safe"}))
    with pytest.raises(ConfigError, match=r"policy\.actions\.illegal"):
        replace(DEFAULT, actions={**DEFAULT.actions, "illegal": {3: Action.REFUSE}})
    with pytest.raises(ConfigError, match="fallback"):
        replace(DEFAULT, fallback_refusal="")


def test_a_floor_raises_thresholds_and_lowers_none() -> None:
    policy = Policy.create_default(DEFAULT_TAXONOMY)
    raised = policy.raise_thresholds(0.7)
    assert all(value == 0.7 for by in raised.thresholds.values() for value in by.values())
    assert policy.raise_thresholds(0.2) == policy
    assert raised.actions == policy.actions


# --- novelty --------------------------------------------------------------------------------------------------------

SMALL_TAXONOMY = Taxonomy(types=("illegal", "privacy", "safe"), levels=("none", "care", "refuse"), safe_type="safe")
SMALL_POLICY = Policy.create_default(SMALL_TAXONOMY)


def create_pair(unsafe: float, novelty: Novelty | None) -> PairScores:
    scores = RiskScores(types=(unsafe * 0.9, unsafe * 0.1, 1 - unsafe), levels=(1 - unsafe, 0.0, unsafe))
    return PairScores(joint=None, per_image=(), image=None, text=scores, novelty=novelty)


STRANGE = Novelty(text=0.995, image=0.2)


@pytest.mark.parametrize(
    ("action", "unsafe", "novelty", "decision", "reason"),
    [
        (Action.ALLOW, 0.1, STRANGE, Decision.ALLOWED, None),
        (Action.CAUTION, 0.1, STRANGE, Decision.CAUTIONED, NOVEL),
        (Action.REFUSE, 0.1, STRANGE, Decision.REFUSED, NOVEL),
        (Action.REFUSE, 0.1, Novelty(text=0.2, image=0.995), Decision.REFUSED, NOVEL),
        (Action.REFUSE, 0.1, Novelty(text=0.989), Decision.ALLOWED, None),
        (Action.REFUSE, 0.1, None, Decision.ALLOWED, None),
        (Action.CAUTION, 0.9, STRANGE, Decision.REFUSED, None),
        (Action.REFUSE, 0.9, STRANGE, Decision.REFUSED, None),
    ],
)
def test_a_decision_is_at_least_as_severe_as_the_rule_wants(
    action: Action, unsafe: float, novelty: Novelty | None, decision: Decision, reason: str | None
) -> None:
    policy = replace(SMALL_POLICY, novelty=NoveltyRule(action=action))
    verdict, scores = decide_worst(policy, SMALL_TAXONOMY, create_pair(unsafe, novelty))
    assert (verdict.decision, verdict.reason) == (decision, reason)
    assert scores is not None, "the scores stay those of the risk"


def test_the_refusal_names_no_risk_and_a_caution_has_a_hint() -> None:
    policy = replace(
        SMALL_POLICY,
        refusals={"illegal": "Not that.", "privacy": "Not that either."},
        fallback_refusal="Not this.",
        novelty=NoveltyRule(action=Action.REFUSE),
    )
    verdict, _ = decide_worst(policy, SMALL_TAXONOMY, create_pair(0.1, STRANGE))
    assert policy.get_refusal(verdict) == "Not this."
    cautioned, _ = decide_worst(
        replace(policy, novelty=NoveltyRule(action=Action.CAUTION)), SMALL_TAXONOMY, create_pair(0.1, STRANGE)
    )
    assert cautioned.level == 0
    assert select_hint({"illegal": {1: "Take care."}}, cautioned) == "Take care."


def test_scores_that_are_not_finite_stay_without_a_verdict() -> None:
    broken = replace(create_pair(0.1, STRANGE), text=RiskScores(types=(float("nan"), 0.0, 1.0), levels=(1.0, 0.0, 0.0)))
    verdict, _ = decide_worst(replace(SMALL_POLICY, novelty=NoveltyRule(action=Action.CAUTION)), SMALL_TAXONOMY, broken)
    assert (verdict.decision, verdict.reason) == (Decision.REFUSED, "no_verdict")


def test_the_rule_survives_its_json_form_and_is_absent_without_a_consequence() -> None:
    assert "novelty" not in SMALL_POLICY.to_dict()
    strict = replace(SMALL_POLICY, novelty=NoveltyRule(threshold=0.9, action=Action.REFUSE))
    assert parse_policy(strict.to_dict(), SMALL_TAXONOMY) == strict
    assert strict.digest != SMALL_POLICY.digest


def test_an_operator_changes_one_field_at_a_time() -> None:
    caution = overlay_policy(SMALL_POLICY, {"novelty": {"action": "caution"}}, SMALL_TAXONOMY)
    assert caution.novelty == NoveltyRule(action=Action.CAUTION)
    assert overlay_policy(caution, {"novelty": {"threshold": 0.5}}, SMALL_TAXONOMY).novelty == NoveltyRule(
        threshold=0.5, action=Action.CAUTION
    )
    for changes in ({"action": "shout"}, {"threshold": -1}, {"threshold": "high"}, {"level": 1}):
        with pytest.raises(PolicyError, match="novelty"):
            overlay_policy(SMALL_POLICY, {"novelty": changes}, SMALL_TAXONOMY)
