"""Loss and accuracy of the vision tower's patch labels."""

import torch
from torch import Tensor
from torch.nn import functional as F

from safety_core.nano.pretrain.vision.tower import HEADS

_EVERYWHERE = ("background", "place")
"""Labels that every patch has; most patches have none of the others."""


_WEIGHTS = {
    "thing": 1.0,
    "letter": 1.0,
    "word": 1.0,
    "colour": 0.3,
    "background": 0.1,
    "place": 0.1,
    "order": 0.3,
    "middle": 0.3,
}


def compute_dense_loss(logits: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    """Compute the weighted sum of cross-entropies; empty patches, which are most, have a fifth of the weight."""
    device = logits["thing"].device
    total = torch.zeros((), device=device)
    for name, weight in _WEIGHTS.items():
        classes = torch.ones(HEADS[name], device=device)
        if name not in _EVERYWHERE:
            classes[0] = 0.2
        total = total + weight * F.cross_entropy(logits[name].flatten(0, 1), targets[name].flatten(), weight=classes)
        if name == "letter":
            early = logits["early_letter"].flatten(0, 1)
            total = total + 0.5 * F.cross_entropy(early, targets[name].flatten(), weight=classes)
    return total


@torch.no_grad()
def measure_patch_accuracy(logits: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, float]:
    """Measure, per kind of label, the share of correct labels among the patches that are not empty."""
    scores = {}
    for name in HEADS:
        relevant = targets[name] > (-1 if name in _EVERYWHERE else 0)
        right = logits[name].argmax(-1) == targets[name]
        scores[name] = (right & relevant).sum().item() / max(1, int(relevant.sum()))
    return scores
