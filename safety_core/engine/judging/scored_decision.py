"""Decides on a request by the scores of its text variants, and keeps the input for a reply. Fails closed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from safety_core.engine.judging.model_input import ModelInput, ScoredInput
from safety_core.engine.judging.variant_decision import Turns, decide_variants
from safety_core.engine.judging.verdicts import build_unjudged_verdict, build_verdict
from safety_core.engine.messages import ChatRequest
from safety_core.engine.work import JudgedRequest
from safety_core.lettering.reading import Line
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Decision, decide_worst
from safety_core.taxonomy import Taxonomy

_logger = logging.getLogger(__name__)

_LINE_BYTES = 512
"""Approximate memory of a line of lettering in bytes, without its text."""

_JOINED_THRESHOLD = 0.5
"""Minimum threshold for several whole questions joined into one text; thresholds are calibrated on single ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedInput(JudgedRequest):
    """A verdict, with the language model's input for a reply."""

    turns: Turns
    """The text variant that determined the decision."""

    answerable: bool = False
    """Whether a reply may be generated: the request is a chat that was not refused."""

    images: VisionFeatures | None = None
    """Features of the images, if a reply may be generated."""


def decide_scored(scored: ScoredInput, active: ActivePolicy, taxonomy: Taxonomy) -> JudgedInput:
    """Apply a policy to scores; if any score is missing or not finite, the request is refused without a verdict.

    Policies that are only recorded are applied to the same scores. For a transparent image, they get the view that is
    worse under the policy in force.

    Args:
        scored: a request with the scores of all its text variants.
        active: the policy in force, with the policies beside it.
        taxonomy: the taxonomy of the scores.
    """
    model_input, request = scored.model_input, scored.model_input.request
    variants = [(turns, pair) for (turns, _), pair in zip(model_input.text_variants, scored.pairs, strict=True)]
    lettering = variants[0][1].lettering if variants else ()
    if model_input.joins_questions and len(variants) > 1:
        likely = active.policy.raise_thresholds(_JOINED_THRESHOLD)
        if decide_worst(likely, taxonomy, replace(variants[0][1], lettering=()))[0].decision is Decision.ALLOWED:
            (turns, pair), *rest = variants[1:]
            variants = [(turns, replace(pair, lettering=lettering)), *rest]
    pairs = tuple(pair for _, pair in variants)
    worst, others = decide_variants(active, taxonomy, [turns for turns, _ in variants], pairs)
    scanned = min(len(pair.per_image) for pair in scored.pairs)
    missing = scanned != len(request.images) or len(lettering) != len(model_input.lettering)
    if worst.scores is None or missing:
        _logger.error("no verdict: scores not finite, or of %d of %d images only", scanned, len(request.images))
        return refuse_unjudged(model_input, active, taxonomy)
    verdict = replace(
        build_verdict(
            active.policy,
            taxonomy,
            request,
            replace(worst.pair, lettering=lettering),
            worst.verdict,
            worst.scores,
            lettering_sources=[text.source for text in model_input.lettering],
        ),
        lettering=_list_lines(model_input),
        variant_scores=pairs,
        others=others,
    )
    answerable = isinstance(request, ChatRequest) and verdict.refusal is None
    images = None
    if answerable and scored.vision is not None:
        # A copy of the language model's input: a slice would keep the whole batch in memory during the reply.
        images = VisionFeatures((), scored.vision.projected_BPD.clone())
    return JudgedInput(
        verdict=verdict,
        answerable=answerable,
        nbytes=(0 if images is None else images.projected_BPD.nbytes) + _estimate_bytes(verdict.lettering),
        turns=worst.turns,
        images=images,
    )


def _list_lines(model_input: ModelInput) -> tuple[tuple[Line, ...], ...]:
    """List the lines in each image, with their text only if the request asks for an explanation."""
    readings = model_input.readings
    if model_input.request.heatmap:
        return tuple(reading.lines for reading in readings)
    return tuple(tuple(replace(line, text="") for line in reading.lines) for reading in readings)


def _estimate_bytes(lettering: Sequence[Sequence[Line]]) -> int:
    return sum(_LINE_BYTES + len(line.text) for lines in lettering for line in lines)


def refuse_unjudged(model_input: ModelInput, active: ActivePolicy, taxonomy: Taxonomy) -> JudgedInput:
    """Refuse a request that has no verdict."""
    request = model_input.request
    verdict = build_unjudged_verdict(active.policy, taxonomy, request, model_input.exceeded)
    return JudgedInput(verdict=verdict, turns=request.turns)
