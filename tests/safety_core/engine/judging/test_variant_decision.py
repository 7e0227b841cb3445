"""The worst variant decides; policies beside the one in force, and shadow mode, change nothing for the client."""

from dataclasses import replace

import pytest

from safety_core.engine.judging.variant_decision import decide_variants, find_worst_variant
from safety_core.inputs.conversation import Turn
from safety_core.policy.named_policies import ActivePolicy, Mode
from safety_core.policy.policy import NO_VERDICT, Decision, Policy
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from tests.helpers.engine.policies import create_forced_policy

POLICY = Policy.create_default(T)
SENT, FOLDED = ((Turn(role="user", text=text),) for text in ("sent", "folded"))


def text_scores(worst: float) -> PairScores:
    """Scores of a text whose probability of the worst level is given."""
    types = (0.9, *[0.1 / (len(T.types) - 1)] * (len(T.types) - 1))
    scores = RiskScores(types=types, levels=(1 - worst, 0.0, 0.0, worst))
    return PairScores(joint=None, per_image=(), image=None, text=scores)


def active(decision: Decision, **fields: object) -> ActivePolicy:
    return replace(ActivePolicy(policy=create_forced_policy(decision)), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("sent", "folded", "decides"), [(0.9, 0.1, SENT), (0.1, 0.9, FOLDED), (0.1, 0.1, SENT)])
def test_the_worst_variant_decides_and_of_equal_ones_the_text_as_it_was_sent(
    sent: float, folded: float, decides: tuple[Turn, ...]
) -> None:
    worst = find_worst_variant(POLICY, T, [SENT, FOLDED], [text_scores(sent), text_scores(folded)])
    assert worst.turns is decides
    assert worst.verdict.unsafe_probability == pytest.approx(max(sent, folded))


def test_a_variant_without_a_verdict_is_worse_than_any_other() -> None:
    pairs = [text_scores(1.0), text_scores(float("nan"))]
    worst = find_worst_variant(POLICY, T, [SENT, FOLDED], pairs)
    assert (worst.turns, worst.scores, worst.verdict.reason) == (FOLDED, None, NO_VERDICT)


def test_each_variant_needs_its_scores() -> None:
    with pytest.raises(ValueError, match="zip"):
        find_worst_variant(POLICY, T, [SENT, FOLDED], [text_scores(0.1)])
    with pytest.raises(ValueError, match="max"):
        find_worst_variant(POLICY, T, [], [])


def test_policies_beside_the_one_in_force_decide_without_effect() -> None:
    strict = active(Decision.REFUSED, name="strict")
    worst, others = decide_variants(active(Decision.CAUTIONED, beside=(strict,)), T, [SENT], [text_scores(0.5)])
    assert worst.verdict.decision is Decision.CAUTIONED
    assert {name: verdict.decision for name, verdict in others.items()} == {"strict": Decision.REFUSED}


def test_in_shadow_mode_a_request_is_allowed_and_the_decision_is_kept() -> None:
    shadow = active(Decision.REFUSED, name="trial", mode=Mode.SHADOW, beside=(active(Decision.ALLOWED, name="mild"),))
    worst, others = decide_variants(shadow, T, [SENT], [text_scores(0.5)])
    assert worst.verdict.decision is Decision.ALLOWED
    assert worst.verdict.level == others["trial"].level, "only the decision is changed"
    assert {name: verdict.decision for name, verdict in others.items()} == {
        "trial": Decision.REFUSED,
        "mild": Decision.ALLOWED,
    }


def test_without_a_verdict_shadow_mode_refuses_too() -> None:
    shadow = active(Decision.ALLOWED, mode=Mode.SHADOW)
    worst, others = decide_variants(shadow, T, [SENT], [text_scores(float("nan"))])
    assert (worst.verdict.decision, worst.verdict.reason, others) == (Decision.REFUSED, NO_VERDICT, {})
