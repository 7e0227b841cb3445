"""Muon: momentum whose update is orthogonalised, for the matrices inside a transformer's blocks.

Follows Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024). torch ships one, but it runs
its Newton-Schulz iteration in bfloat16, which processors without bfloat16 units emulate very slowly; this one
keeps the precision of the parameter.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, chosen by its authors for the fastest climb of small singular values."""


def orthogonalise(update: Tensor, steps: int = 5) -> Tensor:
    """Approximate the nearest semi-orthogonal matrices to ``update``: singular values near 1.

    Args:
        update: a stack of matrices, shape (count, rows, columns).
        steps: Newton-Schulz iterations.

    Returns:
        Matrices of the same shape and precision.
    """
    a, b, c = _NEWTON_SCHULZ
    tall = update.shape[1] > update.shape[2]
    x = update.mT if tall else update
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.mT if tall else x
    return result


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum and orthogonalised updates, for matrices.

    Raises:
        ValueError: a parameter is not a matrix.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float = 0.02, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        params = list(params)
        if odd := [tuple(parameter.shape) for parameter in params if parameter.ndim != 2]:
            raise ValueError(f"Muon takes matrices only, got shapes {odd}")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Apply one update to every parameter that has a gradient."""
        for group in self.param_groups:
            # Matrices of one shape are orthogonalised in one batched product.
            by_shape: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in by_shape.items():
                updates = []
                for parameter in parameters:
                    gradient = parameter.grad
                    assert gradient is not None
                    buffer = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                    buffer.lerp_(gradient, 1 - group["momentum"])
                    updates.append(gradient.lerp(buffer, group["momentum"]))
                # Wide and tall matrices receive the same root-mean-square change per output.
                scale = max(1.0, shape[0] / shape[1]) ** 0.5
                for parameter, update in zip(parameters, orthogonalise(torch.stack(updates)), strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-group["lr"] * scale)


def split_parameters(
    model: nn.Module, inside: tuple[str, ...] = (".layers.",)
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split the trainable parameters into matrices of the blocks (for Muon) and all others (for AdamW)."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            hidden = parameter.ndim == 2 and any(part in name for part in inside)
            (matrices if hidden else others).append(parameter)
    return matrices, others
