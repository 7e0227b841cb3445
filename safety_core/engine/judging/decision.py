"""Scores to the verdict that clients see: names, surfaces and heatmaps. Pure functions; no torch."""

from safety_core.engine.judging.heatmap import heatmap_url
from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.policy.policy import Decision, Policy, Verdict, decide, refuse_without_verdict
from safety_core.scores import PairScores, RiskScores, Surfaces, assessment_from
from safety_core.taxonomy import Taxonomy


def named_verdict(
    policy: Policy, taxonomy: Taxonomy, request: GuardRequest, pair: PairScores, verdict: Verdict, scores: RiskScores
) -> GuardVerdict:
    """A verdict with everything that led to it.

    Args:
        policy: what decided.
        taxonomy: names of the scores.
        request: what was judged.
        pair: everything the head said.
        verdict: the decision.
        scores: the view of ``pair`` that it came from.
    """

    def unsafe(view: RiskScores) -> float:
        return decide(policy, taxonomy, view).unsafe_probability

    def unsafe_or_none(view: RiskScores | None) -> float | None:
        return None if view is None else unsafe(view)

    def of_one_image(view: RiskScores) -> Surfaces:
        # A picture is judged together with the prompt, or by itself where there is none.
        if pair.text is None:
            return Surfaces(image=unsafe(view), text=None, joint=None)
        return Surfaces(image=None, text=unsafe(pair.text), joint=unsafe(view))

    maps: list[str | None] = [None] * len(pair.per_image)
    if pair.heatmaps:
        maps = [
            heatmap_url(grid, width=image.width, height=image.height)
            for grid, image in zip(pair.heatmaps, request.images, strict=True)
        ]
    worst = max(range(len(maps)), key=lambda index: unsafe(pair.per_image[index]), default=None)
    surfaces = Surfaces(
        image=unsafe_or_none(pair.image), text=unsafe_or_none(pair.text), joint=unsafe_or_none(pair.joint)
    )
    return GuardVerdict(
        verdict=verdict,
        pair=pair,
        assessment=assessment_from(
            scores,
            taxonomy,
            surfaces,
            type=verdict.type,
            level=verdict.level,
            heatmap=None if worst is None else maps[worst],
        ),
        per_image=tuple(
            assessment_from(view, taxonomy, of_one_image(view), type=alone.type, level=alone.level, heatmap=heatmap)
            for view, heatmap in zip(pair.per_image, maps, strict=True)
            for alone in [decide(policy, taxonomy, view)]
        ),
        images_received=len(request.images),
        images_scanned=len(pair.per_image),
        refusal=policy.get_refusal(verdict) if verdict.decision is Decision.REFUSED else None,
    )


def without_verdict(policy: Policy, taxonomy: Taxonomy, request: GuardRequest) -> GuardVerdict:
    """The refusal of a request that could not be judged: no scores, nothing scanned."""
    verdict = refuse_without_verdict(taxonomy)
    return GuardVerdict(verdict=verdict, images_received=len(request.images), refusal=policy.get_refusal(verdict))
