"""The two losses: how well the head names type and level, and how well the language model says the answer.

Sums, not means: the caller divides by what the whole optimizer step holds, so that splitting a step into smaller
batches changes nothing. Knows no data sets and no optimizer.
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
    """How much each class counts; ones where nothing is weighed."""

    types_C: Tensor
    """Weight of each risk type."""

    levels_L: Tensor
    """Weight of each risk level."""

    @classmethod
    def even(cls, num_types: int, num_levels: int) -> "ClassWeights":
        """Every class alike."""
        return cls(torch.ones(num_types), torch.ones(num_levels))

    @classmethod
    def balanced(cls, types: Sequence[int], levels: Sequence[int], num_types: int, num_levels: int) -> "ClassWeights":
        """Inverse square root of how often a class occurs, with mean 1 over the samples; unseen classes weigh 1."""
        return cls(_balanced(types, num_types), _balanced(levels, num_levels))

    def to(self, device: torch.device) -> "ClassWeights":
        """The same weights elsewhere."""
        return ClassWeights(self.types_C.to(device), self.levels_L.to(device))


@dataclass(frozen=True, slots=True)
class HeadLoss:
    """Summed cross-entropies of some rows."""

    type: Tensor
    """Σ weight · CE of the types, nats."""

    level: Tensor
    """Σ weight · CE of the levels, nats."""

    @property
    def total(self) -> Tensor:
        """Type and level together (supplement: L = level CE + type CE)."""
        return self.type + self.level


def head_loss(
    output: HeadOutput,
    types_R: Tensor,
    levels_R: Tensor,
    weights_R: Tensor,
    *,
    classes: ClassWeights,
    label_smoothing: float = 0.0,
) -> HeadLoss:
    """Weighted sums of the head's cross-entropies.

    Args:
        output: the head's logits for R rows.
        types_R: gold types.
        levels_R: gold levels.
        weights_R: how much each row counts.
        classes: how much each class counts on top.
        label_smoothing: share of the target that is spread over all classes.
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


def _balanced(values: Sequence[int], count: int) -> Tensor:
    seen = torch.bincount(torch.tensor(values, dtype=torch.long), minlength=count).float()
    weight = torch.where(seen > 0, seen.clamp_min(1).rsqrt(), 0.0)
    mean = (weight * seen).sum() / seen.sum().clamp_min(1)
    return torch.where(seen > 0, weight / mean, 1.0)
