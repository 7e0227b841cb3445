"""Builds the verdict for clients from scores: names, surfaces and heatmaps. Pure functions; no torch."""

from collections.abc import Sequence

from safety_core.engine.judging.heatmap import render_heatmap_url
from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.lettering.reading import Problem
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

    def build_image_surfaces(index: int) -> Surfaces:
        # An image is judged together with the prompt, if there is one, and in some checkpoints also without it.
        view, read = pair.per_image[index], get_worst_unsafe(lettering[index])
        if pair.text is None:
            return Surfaces(image=get_unsafe(view), text=None, joint=None, lettering=read)
        alone = get_worst_unsafe(pair.images_alone[index : index + 1])
        return Surfaces(image=alone, text=get_unsafe(pair.text), joint=get_unsafe(view), lettering=read)

    def list_deciding(index: int) -> list[RiskScores]:
        return [pair.per_image[index], *pair.images_alone[index : index + 1]]

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
    worst = max(range(len(maps)), key=lambda index: max(map(get_unsafe, list_deciding(index))), default=None)
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
            novelty=pair.novelty,
            heatmap=None if worst is None else maps[worst],
        ),
        per_image=tuple(
            create_assessment(
                worst_scores,
                taxonomy,
                build_image_surfaces(index),
                type=image_verdict.type,
                level=image_verdict.level,
                heatmap=maps[index],
            )
            for index, texts in enumerate(lettering)
            for image_verdict, worst_scores in [_decide_worst_of(policy, taxonomy, [*list_deciding(index), *texts])]
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


def build_unjudged_verdict(
    policy: Policy, taxonomy: Taxonomy, request: GuardRequest, exceeded: frozenset[Problem] = frozenset()
) -> GuardVerdict:
    """Build the refusal of a request that could not be judged: without scores, and with no image scanned.

    Args:
        policy: the policy of the refusal.
        taxonomy: the taxonomy of the scores.
        request: the request.
        exceeded: the bounds that the lettering in its images exceeds.
    """
    verdict = refuse_without_verdict(taxonomy)
    return GuardVerdict(
        verdict=verdict,
        exceeded=exceeded,
        images_received=len(request.images),
        refusal=policy.get_refusal(verdict),
    )
