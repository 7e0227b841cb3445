"""Presets: how far thresholds move, which actions change, and that no stricter one is ever milder."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_core.policy.documents import overlay_policy
from safety_core.policy.policy import Action, NoveltyRule, Policy, decide
from safety_core.policy.presets import ODDS_FACTOR, PRESETS, PresetName, find_preset
from safety_core.scores import RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY as T

BASE = Policy.create_default(T)
SEVERITY = tuple(Action)


def derive(name: PresetName, base: Policy = BASE) -> Policy:
    return find_preset(name).derive_policy(base)


def compute_odds(threshold: float) -> float:
    return threshold / (1 - threshold)


def test_they_are_ordered_from_strict_to_permissive() -> None:
    assert [preset.name for preset in PRESETS] == ["strict", "balanced", "permissive"]
    assert all(preset.title and preset.description for preset in PRESETS)


def test_balanced_is_the_policy_itself() -> None:
    assert derive(PresetName.BALANCED) == BASE
    assert find_preset(PresetName.BALANCED).list_changes(BASE) == {"thresholds": {}, "actions": {}}


@given(st.floats(0.001, 0.999))
def test_the_odds_of_thresholds_are_divided_or_multiplied(threshold: float) -> None:
    base = replace(BASE, thresholds={name: dict.fromkeys((1, 2, 3), threshold) for name in T.risky_types})
    for name, factor in ((PresetName.STRICT, 1 / ODDS_FACTOR), (PresetName.PERMISSIVE, ODDS_FACTOR)):
        moved = derive(name, base).thresholds["privacy"][2]
        assert compute_odds(moved) == pytest.approx(factor * compute_odds(threshold))


def test_half_becomes_a_quarter_or_three_quarters() -> None:
    assert derive(PresetName.STRICT).thresholds["privacy"][1] == pytest.approx(0.25)
    assert derive(PresetName.PERMISSIVE).thresholds["privacy"][1] == pytest.approx(0.75)


def test_strict_refuses_what_would_be_cautioned() -> None:
    assert derive(PresetName.STRICT).actions["illegal"] == dict.fromkeys((1, 2, 3), Action.REFUSE)


def test_permissive_cautions_what_would_be_refused_below_the_worst_level() -> None:
    refusing = replace(BASE, actions={name: dict.fromkeys((1, 2, 3), Action.REFUSE) for name in T.risky_types})
    changed = derive(PresetName.PERMISSIVE, refusing).actions["illegal"]
    assert changed == {1: Action.CAUTION, 2: Action.CAUTION, 3: Action.REFUSE}
    assert derive(PresetName.PERMISSIVE).actions == BASE.actions


@pytest.mark.parametrize("name", [PresetName.STRICT, PresetName.PERMISSIVE])
def test_what_an_operator_switched_off_stays_off(name: PresetName) -> None:
    base = replace(
        BASE,
        enabled=BASE.enabled - {"politics"},
        actions={**BASE.actions, "misleading": dict.fromkeys((1, 2, 3), Action.ALLOW)},
        thresholds={**BASE.thresholds, "fairness": {1: 0.0, 2: 1.0, 3: 2.0}},
        refusals={**BASE.refusals, "privacy": "No."},
        novelty=NoveltyRule(action=Action.CAUTION),
    )
    derived = derive(name, base)
    assert derived.enabled == base.enabled
    assert derived.actions["misleading"] == base.actions["misleading"]
    assert derived.thresholds["fairness"] == base.thresholds["fairness"]
    assert (derived.refusals, derived.novelty) == (base.refusals, base.novelty)


@pytest.mark.parametrize("name", PresetName)
def test_the_changes_lead_from_the_policy_to_the_preset(name: PresetName) -> None:
    changes = find_preset(name).list_changes(BASE)
    assert overlay_policy(BASE, changes, T) == derive(name)
    assert set(changes) == {"thresholds", "actions"}


LEVELS = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda values: sum(values) > 0)


@given(
    thresholds=st.lists(st.floats(0, 1.5), min_size=3, max_size=3),
    actions=st.lists(st.sampled_from(SEVERITY), min_size=3, max_size=3),
    levels=LEVELS,
    kind=st.integers(0, len(T.types) - 1),
)
def test_a_stricter_preset_is_never_milder(
    thresholds: list[float], actions: list[Action], levels: list[float], kind: int
) -> None:
    ordered = sorted(actions, key=SEVERITY.index)
    base = replace(
        BASE,
        thresholds={name: dict(enumerate(thresholds, start=1)) for name in T.risky_types},
        actions={name: dict(enumerate(ordered, start=1)) for name in T.risky_types},
    )
    scores = RiskScores(
        types=tuple(float(index == kind) for index in range(len(T.types))),
        levels=tuple(value / sum(levels) for value in levels),
    )
    severities = [decide(preset.derive_policy(base), T, scores).decision.severity for preset in PRESETS]
    assert severities == sorted(severities, reverse=True)
