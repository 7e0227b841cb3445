import copy
import pickle

import torch
from torch import Tensor, nn

from safety_core.model.modules.derived_values import DerivedValue, DerivedViews


class Doubling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.doubled: DerivedValue[Tensor] = DerivedValue()
        self.times_computed = 0

    def forward(self) -> Tensor:
        return self.doubled.get([self.weight], self._double)

    def _double(self) -> Tensor:
        self.times_computed += 1
        return self.weight * 2


@torch.inference_mode()
def infer(module: Doubling) -> list[float]:
    values: list[float] = module().tolist()
    return values


def test_inference_computes_a_value_once() -> None:
    module = Doubling()
    assert infer(module) == infer(module) == [2.0, 2.0]
    assert module.times_computed == 1


def test_every_change_of_a_parameter_is_seen() -> None:
    module = Doubling()
    infer(module)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    module().sum().backward()
    optimizer.step()
    assert infer(module) == [-2.0, -2.0]
    module.load_state_dict({"weight": torch.tensor([3.0, 4.0])})
    assert infer(module) == [6.0, 8.0]
    module.weight = nn.Parameter(torch.zeros(2))
    assert infer(module) == [0.0, 0.0]
    module.double()
    with torch.inference_mode():
        assert module().dtype == torch.float64


def test_training_gets_a_value_with_its_gradient() -> None:
    module = Doubling()
    infer(module)
    module().sum().backward()
    assert module.weight.grad is not None
    assert module.weight.grad.tolist() == [2.0, 2.0]


def test_parameters_made_in_inference_mode_are_read_each_time() -> None:
    with torch.inference_mode():
        module = Doubling()
        assert module().tolist() == [2.0, 2.0]
        module.weight.fill_(5.0)
        assert module().tolist() == [10.0, 10.0]


def test_copies_start_without_a_value() -> None:
    module = Doubling()
    infer(module)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        with torch.no_grad():
            other.weight.fill_(7.0)
        assert infer(other) == [14.0, 14.0]
    assert infer(module) == [2.0, 2.0]


def test_views_are_made_once_and_again_after_memory_was_replaced() -> None:
    parameter, derived = nn.Parameter(torch.zeros(2, 3)), DerivedViews[Tensor]()

    def transposed() -> Tensor:
        return derived.get([parameter], parameter.t)

    first = transposed()
    with torch.no_grad():
        parameter.fill_(4.0)
    assert transposed() is first
    assert first.tolist() == [[4.0, 4.0]] * 3
    parameter.data = torch.ones(2, 3)
    assert transposed().tolist() == [[1.0, 1.0]] * 3
