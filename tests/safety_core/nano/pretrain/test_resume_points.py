from pathlib import Path

import pytest
import torch

from safety_core.nano.pretrain.resume_points import load_resume, save_resume


def stepped(model: torch.nn.Linear) -> torch.optim.AdamW:
    """An optimizer that has something to remember."""
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return optimizer


def test_without_a_resume_point_everything_begins(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    before = model.weight.detach().clone()
    assert load_resume(tmp_path / "none.pt", model, []) == 0
    assert torch.equal(model.weight, before)


def test_model_optimizers_and_step_come_back(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = stepped(model)
    save_resume(tmp_path / "point.pt", model, [optimizer], 7)
    other = torch.nn.Linear(3, 2)
    others = torch.optim.AdamW(other.parameters())
    assert load_resume(tmp_path / "point.pt", other, [others]) == 7
    assert torch.equal(model.weight, other.weight)
    assert torch.equal(optimizer.state[model.weight]["exp_avg"], others.state[other.weight]["exp_avg"])
    assert [path.name for path in tmp_path.iterdir()] == ["point.pt"]


def test_a_point_that_was_written_on_a_gpu_continues_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch.nn.Linear(3, 2)
    with monkeypatch.context() as on_a_gpu:
        on_a_gpu.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        save_resume(tmp_path / "point.pt", model, [stepped(model)], 7)
    other = torch.nn.Linear(3, 2)
    others = torch.optim.AdamW(other.parameters())
    assert load_resume(tmp_path / "point.pt", other, [others]) == 7
    assert torch.equal(model.weight, other.weight)
    assert others.state[other.weight]["exp_avg"].device.type == "cpu"
