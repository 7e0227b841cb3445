"""Optimization of a model from random weights: Muon for the matrices of the blocks, AdamW for everything else.

Knows nothing of what the model learns.
"""

import torch
from torch import nn

from safety_core.nano.pretrain.muon import Muon, split_parameters
from safety_core.nano.pretrain.precision import use_mixed_precision


class Optimization:
    """Both optimizers of one training.

    Args:
        model: the model; parameters that need no gradient are left out.
        inside: parts of the names of parameters whose matrices Muon updates.
        lr: peak learning rate of Muon.
        adam_lr: peak learning rate of AdamW.
        device: device of the model.
    """

    def __init__(self, model: nn.Module, inside: tuple[str, ...], *, lr: float, adam_lr: float, device: str) -> None:
        matrices, self._others = split_parameters(model, inside)
        self._peaks = (lr, adam_lr)
        self._device = device
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=lr, weight_decay=0.01),
            torch.optim.AdamW(self._others, lr=adam_lr, betas=(0.9, 0.98), weight_decay=0.01),
        ]

    def set_learning_rate(self, share: float) -> None:
        """Set both learning rates to a share of their peaks."""
        for optimizer, peak in zip(self.optimizers, self._peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * share

    def step(self) -> None:
        """Clip the gradients of AdamW's parameters, update all parameters and clear the gradients."""
        nn.utils.clip_grad_norm_(self._others, 1.0)
        with use_mixed_precision(self._device):
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
