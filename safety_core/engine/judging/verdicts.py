"""Builds the verdict for clients from scores: names, surfaces and heatmaps. Pure functions; no torch."""

from safety_core.engine.judging.heatmap import render_heatmap_url
from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.policy.policy import Decision, Policy, Verdict, decide, refuse_without_verdict
from safety_core.scores import PairScores, RiskScores, Surfaces, create_assessment
from safety_core.taxonomy import Taxonomy


def build_verdict(
    policy: Policy, taxonomy: Taxonomy, request: GuardRequest, pair: PairScores, verdict: Verdict, scores: RiskScores
) -> GuardVerdict:
    """Build a verdict with its scores, assessments and refusal.

    Args:
        policy: the policy of the decision.
        taxonomy: the taxonomy of the scores.
        request: the request that was judged.
        pair: all scores of the head.
        verdict: the decision.
        scores: the scores in ``pair`` that the decision is based on.
    """

    def get_unsafe(view: RiskScores) -> float:
        return decide(policy, taxonomy, view).unsafe_probability

    def get_unsafe_or_none(view: RiskScores | None) -> float | None:
        return None if view is None else get_unsafe(view)

    def build_image_surfaces(view: RiskScores) -> Surfaces:
        # An image is judged together with the prompt, if there is one.
        if pair.text is None:
            return Surfaces(image=get_unsafe(view), text=None, joint=None)
        return Surfaces(image=None, text=get_unsafe(pair.text), joint=get_unsafe(view))

    maps: list[str | None] = [None] * len(pair.per_image)
    if pair.heatmaps:
        maps = [
            render_heatmap_url(grid, width=image.width, height=image.height)
            for grid, image in zip(pair.heatmaps, request.images, strict=True)
        ]
    worst = max(range(len(maps)), key=lambda index: get_unsafe(pair.per_image[index]), default=None)
    surfaces = Surfaces(
        image=get_unsafe_or_none(pair.image), text=get_unsafe_or_none(pair.text), joint=get_unsafe_or_none(pair.joint)
    )
    return GuardVerdict(
        verdict=verdict,
        pair=pair,
        assessment=create_assessment(
            scores,
            taxonomy,
            surfaces,
            type=verdict.type,
            level=verdict.level,
            heatmap=None if worst is None else maps[worst],
        ),
        per_image=tuple(
            create_assessment(
                view,
                taxonomy,
                build_image_surfaces(view),
                type=image_verdict.type,
                level=image_verdict.level,
                heatmap=heatmap,
            )
            for view, heatmap in zip(pair.per_image, maps, strict=True)
            for image_verdict in [decide(policy, taxonomy, view)]
        ),
        images_received=len(request.images),
        images_scanned=len(pair.per_image),
        refusal=policy.get_refusal(verdict) if verdict.decision is Decision.REFUSED else None,
    )


def build_unjudged_verdict(policy: Policy, taxonomy: Taxonomy, request: GuardRequest) -> GuardVerdict:
    """Build the refusal of a request that could not be judged: without scores, and with no image scanned."""
    verdict = refuse_without_verdict(taxonomy)
    return GuardVerdict(verdict=verdict, images_received=len(request.images), refusal=policy.get_refusal(verdict))
