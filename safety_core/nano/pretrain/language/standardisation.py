"""Standardisation of the tower's features for the training of the projector.

Shapes: P pictures · N patches · V tower width.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class FeatureStandardisation:
    """Mean and standard deviation of every channel of the tower's features, shapes (V,).

    The tower has no final norm: its features are large and consist mostly of one constant vector, which would dominate
    the projector's gradients and the attention at picture positions. Training therefore uses standardised features, and
    ``fold`` moves the standardisation into the projector's first layer.
    """

    mean_V: Tensor
    std_V: Tensor

    @classmethod
    def measure(cls, features_PNV: npt.NDArray[np.float16], pictures: int = 1_000) -> Self:
        """Measure the first ``pictures`` pictures of a table of features."""
        sample = torch.from_numpy(np.array(features_PNV[:pictures])).float().flatten(0, 1)
        return cls(sample.mean(0), sample.std(0).clamp(min=1e-6))

    def __call__(self, features_V: Tensor) -> Tensor:
        """Standardise features (..., V) to mean 0 and standard deviation 1."""
        return (features_V - self.mean_V.to(features_V)) / self.std_V.to(features_V)

    @torch.no_grad()
    def fold(self, layer: nn.Linear) -> None:
        """Convert a layer that was trained on standardised features to raw features, in place."""
        layer.weight.div_(self.std_V.to(layer.weight))
        layer.bias.sub_(layer.weight @ self.mean_V.to(layer.weight))
