"""Measures how far texts and images lie outside of what a checkpoint was trained on.

The states of a text, and the features of an image, are averaged over their positions. A Gaussian describes the averages
of familiar inputs: R principal directions with a variance each, and one variance for all others (probabilistic PCA).
The Mahalanobis distance to it is compared with the distances of familiar inputs that it was not fitted on, texts with
those of similar length, because an average over few words varies more. Only these aggregates are stored.
Shapes: D width · R principal directions · G groups of lengths · Q quantiles · T positions of a text · N image patches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

QUANTILES = np.linspace(0.0, 0.99, 100)
"""The shares of familiar inputs whose distances are stored, Q values; beyond the last one, a heavy tail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamiliarInputs:
    """The distribution of the average features of familiar inputs of one kind."""

    mean_D: Tensor
    directions_DR: Tensor
    """Orthonormal principal directions."""

    variance_R: Tensor
    """Variance along each of them."""

    other_variance: float
    """Variance along each other direction."""

    lengths_G: tuple[int, ...]
    """Largest number of positions of each group, ascending; longer inputs belong to the last group."""

    distances_GQ: NDArray[np.float64]
    """Quantiles of the distances of familiar inputs, ascending, for each group."""

    tail_G: NDArray[np.float64]
    """Mean excess of the distances beyond the last quantile, for each group."""

    def compute_distances(self, average_BD: Tensor) -> Tensor:
        """Compute the Mahalanobis distance of each average, [B]."""
        centred_BD = average_BD.to(self.mean_D) - self.mean_D
        along_BR = centred_BD @ self.directions_DR
        others_B = (centred_BD.square().sum(1) - along_BR.square().sum(1)).clamp_min(0.0)
        return ((along_BR.square() / self.variance_R).sum(1) + others_B / self.other_variance).sqrt()

    def measure_novelty(self, average_BD: Tensor, lengths: Sequence[int]) -> list[float]:
        """Measure the novelty of each average, from 0 to 1: the share of familiar inputs that lie less far outside.

        Args:
            average_BD: average features of inputs.
            lengths: number of positions of each.
        """
        distances = self.compute_distances(average_BD).tolist()
        return [self.rank(distance, length) for distance, length in zip(distances, lengths, strict=True)]

    def rank(self, distance: float, length: int) -> float:
        """Return the novelty of a distance; 1 if the distance is not a number."""
        group = min(int(np.searchsorted(self.lengths_G, length)), len(self.lengths_G) - 1)
        known, last = self.distances_GQ[group], float(QUANTILES[-1])
        excess = distance - float(known[-1])
        if math.isnan(distance):
            return 1.0
        if excess <= 0:
            return float(np.interp(distance, known, QUANTILES))
        # A heavy tail: an exponential one would round to 1 for all inputs that lie far outside.
        return 1.0 - (1.0 - last) / (1.0 + excess / float(self.tail_G[group]))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoveltyDetector:
    """The familiar inputs of a checkpoint."""

    texts: FamiliarInputs
    images: FamiliarInputs

    def measure_texts(self, states: Sequence[Tensor]) -> list[float]:
        """Measure the novelty of texts; arguments are the states of each, [T, D], with at least one position."""
        if not states:
            return []
        return self.texts.measure_novelty(average_texts(states), [len(state) for state in states])

    def measure_images(self, layers: Sequence[Tensor]) -> list[float]:
        """Measure the novelty of images; the argument is feat_BNV of each layer (:class:`VisionFeatures`)."""
        average_BD = average_images(layers)
        return self.images.measure_novelty(average_BD, [1] * len(average_BD))


def average_texts(states: Sequence[Tensor]) -> Tensor:
    """Average the states of each text, [T, D]; returns average_BD."""
    return torch.stack([state.float().mean(0) for state in states])


def average_images(layers: Sequence[Tensor]) -> Tensor:
    """Average the last layer's features of each image; returns average_BD."""
    return layers[-1].float().mean(1)
