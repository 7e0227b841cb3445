"""The verdict that clients see: names, surfaces by source of the risk, heatmaps and the refusal."""

from dataclasses import replace

import pytest

from safety_core.engine.judging.verdicts import build_unjudged_verdict, build_verdict
from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.lettering.reading import Problem
from safety_core.lettering.request_texts import LetteringSource
from safety_core.policy.policy import NO_VERDICT, Decision, Policy, decide_worst
from safety_core.scores import PairScores, RiskScores, Surfaces
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from tests.helpers.engine.requests import create_guard_request
from tests.helpers.images.pictures import create_picture

KIND = T.risky_types[0]
POLICY = replace(Policy.create_default(T), refusals={**Policy.create_default(T).refusals, KIND: "Not this."})
WIDE, HIGH = create_picture(size=(80, 20)), create_picture(size=(20, 80))


def scores(worst: float) -> RiskScores:
    types = [0.0] * len(T.types)
    types[T.types.index(KIND)] = 1.0
    return RiskScores(types=tuple(types), levels=(1 - worst, 0.0, 0.0, worst))


def verdict_of(request: GuardRequest, pair: PairScores, *sources: LetteringSource) -> GuardVerdict:
    verdict, deciding = decide_worst(POLICY, T, pair)
    assert deciding is not None
    return build_verdict(POLICY, T, request, pair, verdict, deciding, lettering_sources=sources)


def surfaces(found: Surfaces) -> tuple[float | None, ...]:
    assert found.lettering is None
    return tuple(None if one is None else round(one, 6) for one in (found.image, found.text, found.joint))


def test_a_picture_with_a_prompt_has_the_surfaces_text_and_joint_and_the_whole_has_all_three() -> None:
    pair = PairScores(joint=scores(0.4), per_image=(scores(0.3), scores(0.8)), image=scores(0.2), text=scores(0.1))
    found = verdict_of(create_guard_request(WIDE, HIGH), pair)
    assert found.assessment is not None
    assert surfaces(found.assessment.surfaces) == (0.2, 0.1, 0.4)
    assert [surfaces(one.surfaces) for one in found.per_image] == [(None, 0.1, 0.3), (None, 0.1, 0.8)]
    assert [one.level.index for one in found.per_image] == [0, 3]
    assert (found.images_received, found.images_scanned) == (2, 2)


def test_without_a_prompt_the_risk_is_the_pictures() -> None:
    pair = PairScores(joint=None, per_image=(scores(0.3),), image=scores(0.3), text=None)
    found = verdict_of(create_guard_request(WIDE, text=None), pair)
    assert [surfaces(one.surfaces) for one in found.per_image] == [(0.3, None, None)]


def test_an_image_that_decides_without_the_words_is_the_one_that_is_risky() -> None:
    grids = (((0.1, 0.2), (0.3, 0.4)), ((0.4, 0.3), (0.2, 0.1)))
    pair = PairScores(
        joint=scores(0.1),
        per_image=(scores(0.3), scores(0.2)),
        image=scores(0.2),
        text=scores(0.1),
        images_alone=(scores(0.25), scores(0.9)),
        heatmaps=grids,
    )
    found = verdict_of(create_guard_request(WIDE, HIGH, heatmap=True), pair)
    assert found.assessment is not None
    assert found.surface == "image"
    assert [surfaces(one.surfaces) for one in found.per_image] == [(0.25, 0.1, 0.3), (0.9, 0.1, 0.2)]
    assert [one.level.index for one in found.per_image] == [0, 3]
    assert found.assessment.heatmap == found.per_image[1].heatmap


def test_lettering_is_a_surface_of_its_own_and_the_worst_text_counts() -> None:
    pair = PairScores(
        joint=scores(0.4),
        per_image=(scores(0.3), scores(0.2)),
        image=scores(0.2),
        text=scores(0.1),
        lettering=(scores(0.35), scores(0.9), scores(0.7), scores(0.95)),
    )
    found = verdict_of(
        create_guard_request(WIDE, HIGH),
        pair,
        LetteringSource(images=(0,)),
        LetteringSource(images=(1,)),
        LetteringSource(images=(1,), with_prompt=True),
        LetteringSource(images=(0, 1), joint=True),
    )
    assert found.assessment is not None
    assert found.assessment.surfaces.lettering == pytest.approx(0.95)
    assert (found.surface, found.verdict.decision, found.assessment.level.index) == ("lettering", Decision.REFUSED, 3)
    assert [one.surfaces.lettering for one in found.per_image] == pytest.approx([0.35, 0.9])
    assert [one.level.index for one in found.per_image] == [0, 3]


@pytest.mark.parametrize(
    ("pair", "surface"),
    [
        (PairScores(joint=scores(0.9), per_image=(scores(0.3),), image=scores(0.2), text=scores(0.1)), "joint"),
        (PairScores(joint=scores(0.1), per_image=(scores(0.3),), image=scores(0.2), text=scores(0.1)), "joint"),
        (PairScores(joint=None, per_image=(scores(0.3),), image=scores(0.9), text=None), "image"),
        (PairScores(joint=None, per_image=(scores(0.9),), image=scores(0.2), text=None), "image"),
        (PairScores(joint=None, per_image=(), image=None, text=scores(0.1)), "text"),
    ],
)
def test_the_surface_that_decided_is_named(pair: PairScores, surface: str) -> None:
    assert verdict_of(create_guard_request(*(WIDE for _ in pair.per_image)), pair).surface == surface


@pytest.mark.parametrize(
    ("worst", "decision", "kind", "refusal"),
    [(0.1, Decision.ALLOWED, T.safe_type, None), (0.9, Decision.REFUSED, KIND, "Not this.")],
)
def test_the_refusal_and_the_type_go_with_the_decision(
    worst: float, decision: Decision, kind: str, refusal: str | None
) -> None:
    found = verdict_of(create_guard_request(), PairScores(joint=None, per_image=(), image=None, text=scores(worst)))
    assert found.assessment is not None
    assert (found.verdict.decision, found.assessment.type, found.refusal) == (decision, kind, refusal)
    assert found.assessment.type_scores[KIND] == 1.0


def test_each_picture_has_its_heatmap_and_the_whole_that_of_the_worst_one() -> None:
    grids = (((0.1, 0.2), (0.3, 0.4)), ((0.4, 0.3), (0.2, 0.1)))
    pair = PairScores(
        joint=scores(0.4), per_image=(scores(0.3), scores(0.8)), image=None, text=scores(0.1), heatmaps=grids
    )
    found = verdict_of(create_guard_request(WIDE, HIGH, heatmap=True), pair)
    assert found.assessment is not None
    first, second = (one.heatmap for one in found.per_image)
    assert first is not None
    assert first != second == found.assessment.heatmap
    plain = verdict_of(create_guard_request(WIDE, HIGH), replace(pair, heatmaps=()))
    assert [one.heatmap for one in plain.per_image] == [None, None]


def test_a_request_that_could_not_be_judged_is_refused_without_a_type_and_no_picture_counts_as_scanned() -> None:
    found = build_unjudged_verdict(POLICY, T, create_guard_request(WIDE, HIGH))
    assert (found.verdict.decision, found.verdict.reason, found.assessment) == (Decision.REFUSED, NO_VERDICT, None)
    assert found.refusal == POLICY.fallback_refusal
    assert (found.images_received, found.images_scanned, found.per_image) == (2, 0, ())
    assert found.exceeded == frozenset()


def test_a_request_whose_lettering_exceeds_a_bound_says_which() -> None:
    found = build_unjudged_verdict(POLICY, T, create_guard_request(WIDE), frozenset({Problem.BOXES}))
    assert (found.verdict.decision, found.assessment) == (Decision.REFUSED, None)
    assert found.exceeded == {Problem.BOXES}
