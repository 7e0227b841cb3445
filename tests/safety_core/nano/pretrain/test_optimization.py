import pytest
import torch
from torch import nn

from safety_core.nano.pretrain.muon import Muon
from safety_core.nano.pretrain.optimization import Optimization


class Model(nn.Module):
    """A matrix inside the blocks, and parameters outside them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4)])
        self.out = nn.Linear(4, 2)
        self.frozen = nn.Linear(4, 4)
        self.frozen.requires_grad_(False)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return Model()


@pytest.fixture
def optimization(model: Model) -> Optimization:
    return Optimization(model, ("layers.",), lr=0.2, adam_lr=0.01, device="cpu")


def set_gradients(model: nn.Module, value: float) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, value)


def copy_values(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def test_muon_updates_the_matrices_of_the_blocks_and_adamw_the_rest(model: Model, optimization: Optimization) -> None:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    muon, adamw = optimization.optimizers
    assert isinstance(muon, Muon)
    assert isinstance(adamw, torch.optim.AdamW)
    chosen = [
        {names[id(one)] for group in optimizer.param_groups for one in group["params"]} for optimizer in (muon, adamw)
    ]
    assert chosen == [{"layers.0.weight"}, {"layers.0.bias", "out.weight", "out.bias"}]


@pytest.mark.parametrize("share", [1.0, 0.25, 0.0])
def test_both_rates_follow_the_share_of_their_peaks(optimization: Optimization, share: float) -> None:
    for step_share in (0.5, share):
        optimization.set_learning_rate(step_share)
    rates = [group["lr"] for optimizer in optimization.optimizers for group in optimizer.param_groups]
    assert rates == pytest.approx([0.2 * share, 0.01 * share])


def test_a_step_moves_what_learns_and_clears_its_gradients(model: Model, optimization: Optimization) -> None:
    before = copy_values(model)
    set_gradients(model, 1.0)
    optimization.step()
    moved = {name for name, value in copy_values(model).items() if not torch.equal(value, before[name])}
    assert moved == {"layers.0.weight", "layers.0.bias", "out.weight", "out.bias"}
    assert all(parameter.grad is None for parameter in model.parameters() if parameter.requires_grad)


def test_without_a_rate_nothing_moves(model: Model, optimization: Optimization) -> None:
    before = copy_values(model)
    optimization.set_learning_rate(0.0)
    set_gradients(model, 1.0)
    optimization.step()
    assert all(torch.equal(value, before[name]) for name, value in copy_values(model).items())


def test_gradients_of_adamw_are_clipped_together(model: Model, optimization: Optimization) -> None:
    set_gradients(model, 100.0)
    optimization.step()
    _, adamw = optimization.optimizers
    # The first moment is a tenth of the gradient: its norm tells that of the clipped one.
    moments = [adamw.state[one]["exp_avg"] for group in adamw.param_groups for one in group["params"]]
    assert torch.cat([moment.flatten() for moment in moments]).norm().item() == pytest.approx(0.1, rel=1e-3)


def test_small_gradients_are_not_scaled_up(model: Model, optimization: Optimization) -> None:
    set_gradients(model, 1e-3)
    optimization.step()
    _, adamw = optimization.optimizers
    assert adamw.state[model.out.bias]["exp_avg"].tolist() == pytest.approx([1e-4, 1e-4])
