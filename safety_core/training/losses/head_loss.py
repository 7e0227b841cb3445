"""The loss of the safety head: cross-entropies of risk type and risk level.

Losses are sums, not means: the caller divides by the size of the whole optimizer step, so that splitting a step into
smaller batches changes nothing.
Shapes: R rows of the head · C risk types · L risk levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from safety_core.model.modules.head import HeadOutput


@dataclass(frozen=True, slots=True)
class ClassWeights:
    """Weight of each class in the loss."""

    types_C: Tensor
    """Weight of each risk type."""

    levels_L: Tensor
    """Weight of each risk level."""

    @classmethod
    def create_even(cls, num_types: int, num_levels: int) -> "ClassWeights":
        """Create equal weights."""
        return cls(torch.ones(num_types), torch.ones(num_levels))

    @classmethod
    def create_balanced(
        cls, types: Sequence[int], levels: Sequence[int], num_types: int, num_levels: int
    ) -> "ClassWeights":
        """Weigh classes by the inverse square root of their frequency: mean 1 over samples, 1 for unseen classes."""
        return cls(_balance(types, num_types), _balance(levels, num_levels))

    def to(self, device: torch.device) -> "ClassWeights":
        """Copy the weights to a device."""
        return ClassWeights(self.types_C.to(device), self.levels_L.to(device))


@dataclass(frozen=True, slots=True)
class HeadLoss:
    """Summed cross-entropies of rows."""

    type: Tensor
    """Σ weight · CE of the types, nats."""

    level: Tensor
    """Σ weight · CE of the levels, nats."""

    @property
    def total(self) -> Tensor:
        """Type and level together (supplement: L = level CE + type CE)."""
        return self.type + self.level


def compute_head_loss(
    output: HeadOutput,
    types_R: Tensor,
    levels_R: Tensor,
    weights_R: Tensor,
    *,
    classes: ClassWeights,
    label_smoothing: float = 0.0,
) -> HeadLoss:
    """Compute weighted sums of the head's cross-entropies.

    Args:
        output: the head's logits for R rows.
        types_R: gold types.
        levels_R: gold levels.
        weights_R: weight of each row.
        classes: weight of each class, by which the weight of its rows is multiplied.
        label_smoothing: share of the target probability that is spread over all classes.
    """
    sums = [
        (
            F.cross_entropy(logits.float(), gold_R, reduction="none", label_smoothing=label_smoothing)
            * weight[gold_R]
            * weights_R
        ).sum()
        for logits, gold_R, weight in (
            (output.type_logits_BC, types_R, classes.types_C),
            (output.level_logits_BL, levels_R, classes.levels_L),
        )
    ]
    return HeadLoss(type=sums[0], level=sums[1])


def _balance(values: Sequence[int], count: int) -> Tensor:
    counts = torch.bincount(torch.tensor(values, dtype=torch.long), minlength=count).float()
    weight = torch.where(counts > 0, counts.clamp_min(1).rsqrt(), 0.0)
    mean = (weight * counts).sum() / counts.sum().clamp_min(1)
    return torch.where(counts > 0, weight / mean, 1.0)
