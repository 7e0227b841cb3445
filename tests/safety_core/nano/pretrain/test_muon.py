import pytest
import torch
from torch import nn

from safety_core.nano.pretrain.muon import Muon, orthogonalise, split_parameters


@pytest.mark.parametrize("shape", [(8, 8), (6, 20), (20, 6)])
def test_singular_values_end_near_one(shape: tuple[int, int]) -> None:
    update = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0)) * 3
    result = orthogonalise(update)
    assert result.shape == update.shape
    assert result.dtype == update.dtype
    values = torch.linalg.svdvals(result)
    # The iteration climbs fast and then hovers: its authors chose 0.7 to 1.2. A square's smallest ones start low.
    assert values.max() < 1.3
    assert values.median() > 0.6
    if shape[0] != shape[1]:
        assert values.min() > 0.6


def test_singular_vectors_stay_where_they_are() -> None:
    generator = torch.Generator().manual_seed(1)
    left, right = (torch.linalg.qr(torch.randn(6, 6, generator=generator)).Q for _ in range(2))
    update = left @ torch.diag(torch.tensor([5.0, 4.0, 3.0, 2.5, 2.0, 1.5])) @ right
    turned = left.mT @ orthogonalise(update[None])[0] @ right.mT
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 1e-4
    assert torch.equal(orthogonalise(torch.zeros(1, 3, 4)), torch.zeros(1, 3, 4))


def test_a_quadratic_is_minimised() -> None:
    generator = torch.Generator().manual_seed(0)
    wide, tall = (nn.Parameter(torch.zeros(shape)) for shape in ((4, 9), (9, 4)))
    targets = [torch.randn(one.shape, generator=generator) for one in (wide, tall)]
    optimizer = Muon([wide, tall], lr=0.2)
    steps = 200
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.2 * (1 - step / steps)
        loss = sum(((one - target) ** 2).sum() for one, target in zip((wide, tall), targets, strict=True))
        assert isinstance(loss, torch.Tensor)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 1e-3 * losses[0]


def test_matrices_of_one_shape_are_updated_as_if_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = [torch.randn(3, 5, generator=generator) for _ in range(2)]
    together = [nn.Parameter(torch.ones(3, 5)) for _ in range(2)]
    for one, gradient in zip(together, gradients, strict=True):
        one.grad = gradient
    Muon(together, lr=0.1, weight_decay=0.5).step()
    for one, gradient in zip(together, gradients, strict=True):
        alone = nn.Parameter(torch.ones(3, 5))
        alone.grad = gradient
        Muon([alone], lr=0.1, weight_decay=0.5).step()
        torch.testing.assert_close(one, alone)


def test_momentum_is_nesterovs() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(3, 5, generator=generator) for _ in range(2))
    moved = nn.Parameter(torch.zeros(3, 5))
    optimizer = Muon([moved], lr=1.0, momentum=0.9)
    moved.grad = first
    optimizer.step()
    before = moved.detach().clone()
    moved.grad = second
    optimizer.step()
    average = 0.9 * (0.1 * first) + 0.1 * second
    ahead = 0.1 * second + 0.9 * average
    torch.testing.assert_close(before - moved.detach(), orthogonalise(ahead[None])[0])


def test_without_a_gradient_nothing_moves() -> None:
    still = nn.Parameter(torch.ones(3, 3))
    Muon([still], weight_decay=0.5).step()
    assert torch.equal(still, torch.ones(3, 3))


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
def test_only_matrices_are_taken(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="matrices only"):
        Muon([nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(shape))])


def test_matrices_inside_the_blocks_are_told_from_the_rest() -> None:
    model = nn.ModuleDict(
        {
            "embed": nn.Embedding(3, 4),
            "layers": nn.ModuleList([nn.ModuleDict({"lin": nn.Linear(4, 4)})]),
            "head": nn.Linear(4, 2),
        }
    )
    whole = nn.ModuleDict({"body": model})
    model["head"].requires_grad_(False)
    matrices, others = split_parameters(whole)
    names = {id(parameter): name for name, parameter in whole.named_parameters()}
    assert [names[id(one)] for one in matrices] == ["body.layers.0.lin.weight"]
    assert [names[id(one)] for one in others] == ["body.embed.weight", "body.layers.0.lin.bias"]
