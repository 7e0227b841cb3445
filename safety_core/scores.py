"""Scores of the safety head in plain Python: no tensors, so every layer may import them.

``RiskScores`` is one output of the safety head as probabilities. ``PairScores`` contains all outputs for one request.
``Assessment`` is the part that a client sees. Standard library only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from safety_core.taxonomy import Taxonomy

SurfaceName = Literal["image", "text", "joint", "lettering"]
"""A source of risk: images alone, words alone, both together, or lettering in the images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskScores:
    """Softmax outputs of the head for one view: a combination of images and prompt."""

    types: tuple[float, ...]
    """Probability of each risk type, length C, in the taxonomy's order."""

    levels: tuple[float, ...]
    """Probability of each risk level, length L, in the taxonomy's order."""

    @property
    def finite(self) -> bool:
        """Whether every score is a finite number; otherwise there is no verdict."""
        return all(math.isfinite(score) for score in (*self.types, *self.levels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """How far a request lies outside of what the checkpoint was trained on, by input; None if the request lacks it.

    0.99 means: 99 % of familiar inputs, which nothing was fitted on, lie less far outside.
    """

    text: float | None = None
    """The user's words."""

    image: float | None = None
    """The image that lies furthest outside."""

    @property
    def score(self) -> float:
        """The larger one, from 0 to 1; 0 without any input."""
        return max(self.text or 0.0, self.image or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScores:
    """All outputs of the head for one request of 0..K images and an optional prompt.

    A surface is None if the request lacks its input.
    """

    joint: RiskScores | None
    """head(all images, prompt); None unless there is at least one image and a prompt."""

    per_image: tuple[RiskScores, ...]
    """head(image_i, prompt) for each image; head(image_i) without a prompt."""

    image: RiskScores | None
    """Image surface: head(all images) with the learned query only."""

    text: RiskScores | None
    """Text surface: head(prompt) with the learned null feature."""

    lettering: tuple[RiskScores, ...] = ()
    """Lettering surface: head(text) with the learned null feature, for each text of the lettering in the images, alone
    and with the prompt; empty if none was read."""

    text_decides: bool = False
    """Whether the text surface also decides where there are images, so that an image cannot lower the risk of words."""

    images_alone: tuple[RiskScores, ...] = ()
    """head(image_i) for each image beside a prompt, where these also decide, so that words cannot lower the risk of an
    image; otherwise empty."""

    novelty: Novelty | None = None
    """How far the request lies outside of what was trained; None if the checkpoint does not measure it."""

    heatmaps: tuple[tuple[tuple[float, ...], ...], ...] = ()
    """Non-negative attention of the head over each image's feature grid, as a list of rows; empty unless requested."""

    @property
    def deciding(self) -> tuple[RiskScores, ...]:
        """The views from which the decision is derived; the worst view counts.

        Empty only if there is neither image nor prompt, which callers must treat as no verdict.
        """
        if not self.per_image:
            return () if self.text is None else (self.text,)
        if self.joint is None:
            return (*self.per_image, *(() if self.image is None else (self.image,)), *self.lettering)
        text = (self.text,) if self.text_decides and self.text is not None else ()
        return (*self.per_image, self.joint, *self.images_alone, *text, *self.lettering)

    def get_surface(self, scores: RiskScores) -> SurfaceName:
        """Return the surface that some of these scores belong to."""
        if any(scores is other for other in self.lettering):
            return "lettering"
        if scores is self.text:
            return "text"
        alone = any(scores is other for other in (self.image, *self.images_alone))
        return "image" if alone or self.text is None else "joint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A risk level as clients see it."""

    index: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surfaces:
    """Unsafe probability by source of the risk; None if the request lacks the source."""

    image: float | None
    text: float | None
    joint: float | None
    lettering: float | None = None
    """The worst text of the lettering in the images; None if none was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One verdict with names and scores, as replies contain it."""

    type: str
    """The type of the decision; the safe type if no level was reached."""

    level: Level
    """The level that was reached."""

    type_scores: Mapping[str, float]
    """Probabilities from the head, from which the decision follows. The most probable type may differ from ``type``."""

    level_scores: Mapping[str, float]
    surfaces: Surfaces
    novelty: Novelty | None = None
    """How far the request lies outside of what was trained; None if the checkpoint does not measure it."""

    heatmap: str | None = None
    """PNG data URL, if requested."""


def create_assessment(
    scores: RiskScores,
    taxonomy: Taxonomy,
    surfaces: Surfaces,
    *,
    type: str,
    level: int,
    novelty: Novelty | None = None,
    heatmap: str | None = None,
) -> Assessment:
    """Create an assessment: a decision and the scores of its view, with names.

    Args:
        scores: scores of the view that determined the decision.
        taxonomy: names of types and levels.
        surfaces: unsafe probability by source of the risk.
        type: the risky type of the decision.
        level: the level that was reached, 0 for none.
        novelty: how far the request lies outside of what was trained.
        heatmap: attention of the head as a PNG data URL.
    """
    return Assessment(
        type=type if level else taxonomy.safe_type,
        level=Level(index=level, name=taxonomy.levels[level]),
        type_scores=dict(zip(taxonomy.types, scores.types, strict=True)),
        level_scores=dict(zip(taxonomy.levels, scores.levels, strict=True)),
        surfaces=surfaces,
        novelty=novelty,
        heatmap=heatmap,
    )
