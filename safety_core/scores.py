"""What the head says about a request, in plain Python: no tensors, so every layer may hold it.

``RiskScores`` is one output of the safety head as probabilities. ``PairScores`` is everything the head said about one
request. ``Assessment`` is the part of it that a client sees. Standard library only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from safety_core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskScores:
    """Softmax outputs of the head for one (images, prompt) view."""

    types: tuple[float, ...]
    """Probability of each risk type, length C, in the taxonomy's order."""

    levels: tuple[float, ...]
    """Probability of each risk level, length L, in the taxonomy's order."""

    @property
    def finite(self) -> bool:
        """Whether every score is a real number; anything else is no verdict."""
        return all(math.isfinite(score) for score in (*self.types, *self.levels))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScores:
    """Everything the head said about one request of 0..K images and an optional prompt.

    Surfaces that do not exist are None: no image, no prompt, or neither.
    """

    joint: RiskScores | None
    """head(all images, prompt); None unless there is at least one image and a prompt."""

    per_image: tuple[RiskScores, ...]
    """head(image_i, prompt) for each image (the image alone where there is no prompt)."""

    image: RiskScores | None
    """Image surface: head(all images) with the learned query only."""

    text: RiskScores | None
    """Text surface: head(prompt) with the learned null feature."""

    heatmaps: tuple[tuple[tuple[float, ...], ...], ...] = ()
    """Head attention over each image's feature grid, rows of columns, non-negative; empty unless asked for."""

    @property
    def deciding(self) -> tuple[RiskScores, ...]:
        """The views a decision takes the worst of.

        Empty only when there is neither image nor prompt, which callers must treat as no verdict.
        """
        if not self.per_image:
            return () if self.text is None else (self.text,)
        if self.joint is None:
            return (*self.per_image, *(() if self.image is None else (self.image,)))
        return (*self.per_image, self.joint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A risk level as clients see it."""

    index: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surfaces:
    """Unsafe probability by where the risk comes from; None where the surface does not exist."""

    image: float | None
    text: float | None
    joint: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One verdict with names and scores, as replies show them."""

    type: str
    """The type of the decision; the safe type if no level was reached."""

    level: Level
    """The level that was reached."""

    type_scores: Mapping[str, float]
    """The head's probabilities, on which the decision is based; the largest may belong to another type."""

    level_scores: Mapping[str, float]
    surfaces: Surfaces
    heatmap: str | None = None
    """PNG data URL; only when it was asked for."""


def assessment_from(
    scores: RiskScores, taxonomy: Taxonomy, surfaces: Surfaces, *, type: str, level: int, heatmap: str | None = None
) -> Assessment:
    """Name a decision and the scores of the view that it came from.

    Args:
        scores: the head's.
        taxonomy: their names.
        surfaces: where the risk comes from.
        type: the risky type of the decision.
        level: the level that was reached, 0 for none.
        heatmap: where the head looked.
    """
    return Assessment(
        type=type if level else taxonomy.safe_type,
        level=Level(index=level, name=taxonomy.levels[level]),
        type_scores=dict(zip(taxonomy.types, scores.types, strict=True)),
        level_scores=dict(zip(taxonomy.levels, scores.levels, strict=True)),
        surfaces=surfaces,
        heatmap=heatmap,
    )
