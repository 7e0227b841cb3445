"""Builds the verdict for clients from scores: names, surfaces and heatmaps. Pure functions; no torch."""

from collections.abc import Sequence

from safety_core.engine.judging.heatmap import render_heatmap_url
from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.lettering.request_texts import LetteringSource
from safety_core.policy.policy import Decision, Policy, Verdict, decide, refuse_without_verdict
from safety_core.scores import PairScores, RiskScores, Surfaces, create_assessment
from safety_core.taxonomy import Taxonomy


def build_verdict(
    policy: Policy,
    taxonomy: Taxonomy,
    request: GuardRequest,
    pair: PairScores,
    verdict: Verdict,
    scores: RiskScores,
    *,
    lettering_sources: Sequence[LetteringSource] = (),
) -> GuardVerdict:
    """Build a verdict with its scores, assessments and refusal.

    Args:
        policy: the policy of the decision.
        taxonomy: the taxonomy of the scores.
        request: the request that was judged.
        pair: all scores of the head.
        verdict: the decision.
        scores: the scores in ``pair`` that the decision is based on.
        lettering_sources: origin of each of ``pair.lettering``.
    """

    def get_unsafe(view: RiskScores) -> float:
        return decide(policy, taxonomy, view).unsafe_probability

    def get_unsafe_or_none(view: RiskScores | None) -> float | None:
        return None if view is None else get_unsafe(view)

    def get_worst_unsafe(texts: Sequence[RiskScores]) -> float | None:
        return max(map(get_unsafe, texts), default=None)

    def build_image_surfaces(view: RiskScores, lettering: Sequence[RiskScores]) -> Surfaces:
        # An image is judged together with the prompt, if there is one.
        read = get_worst_unsafe(lettering)
        if pair.text is None:
            return Surfaces(image=get_unsafe(view), text=None, joint=None, lettering=read)
        return Surfaces(image=None, text=get_unsafe(pair.text), joint=get_unsafe(view), lettering=read)

    def select_lettering(image: int) -> list[RiskScores]:
        # Words that are spread over several images are no property of one of them.
        sources = zip(pair.lettering, lettering_sources, strict=True)
        return [text for text, source in sources if image in source.images and not source.joint]

    maps: list[str | None] = [None] * len(pair.per_image)
    if pair.heatmaps:
        maps = [
            render_heatmap_url(grid, width=image.width, height=image.height)
            for grid, image in zip(pair.heatmaps, request.images, strict=True)
        ]
    worst = max(range(len(maps)), key=lambda index: get_unsafe(pair.per_image[index]), default=None)
    surfaces = Surfaces(
        image=get_unsafe_or_none(pair.image),
        text=get_unsafe_or_none(pair.text),
        joint=get_unsafe_or_none(pair.joint),
        lettering=get_worst_unsafe(pair.lettering),
    )
    lettering = [select_lettering(index) for index in range(len(pair.per_image))]
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
                worst_scores,
                taxonomy,
                build_image_surfaces(view, texts),
                type=image_verdict.type,
                level=image_verdict.level,
                heatmap=heatmap,
            )
            for view, texts, heatmap in zip(pair.per_image, lettering, maps, strict=True)
            for image_verdict, worst_scores in [_decide_worst_of(policy, taxonomy, [view, *texts])]
        ),
        surface=pair.get_surface(scores),
        lettering_sources=tuple(lettering_sources),
        images_received=len(request.images),
        images_scanned=len(pair.per_image),
        refusal=policy.get_refusal(verdict) if verdict.decision is Decision.REFUSED else None,
    )


def _decide_worst_of(policy: Policy, taxonomy: Taxonomy, scores: Sequence[RiskScores]) -> tuple[Verdict, RiskScores]:
    judged = [(decide(policy, taxonomy, one), one) for one in scores]
    return max(judged, key=lambda entry: entry[0].severity_key)


def build_unjudged_verdict(policy: Policy, taxonomy: Taxonomy, request: GuardRequest) -> GuardVerdict:
    """Build the refusal of a request that could not be judged: without scores, and with no image scanned."""
    verdict = refuse_without_verdict(taxonomy)
    return GuardVerdict(verdict=verdict, images_received=len(request.images), refusal=policy.get_refusal(verdict))
