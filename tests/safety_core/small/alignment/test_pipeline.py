from pathlib import Path

import pytest
import torch

from safety_core.errors import CheckpointError
from safety_core.small.alignment.pipeline import load_projector
from safety_core.small.alignment.projector.training import save_projector
from tests.helpers.models.tiny_alignment import make_bare_model


def test_a_written_projector_replaces_another(tmp_path: Path) -> None:
    one, other = make_bare_model(tmp_path / "one"), make_bare_model(tmp_path / "other")
    projector = one.backbone.model.multi_modal_projector
    with torch.no_grad():
        projector.linear_1.weight.mul_(2)
    save_projector(projector, tmp_path / "projector.safetensors")
    load_projector(other, tmp_path / "projector.safetensors")
    for name, tensor in projector.state_dict().items():
        torch.testing.assert_close(
            other.backbone.model.multi_modal_projector.get_parameter(name), tensor, rtol=1e-2, atol=1e-3
        )


def test_a_projector_of_other_widths_does_not_fit(tmp_path: Path) -> None:
    model = make_bare_model(tmp_path / "model")
    save_projector(torch.nn.Sequential(torch.nn.Linear(3, 3)), tmp_path / "projector.safetensors")
    with pytest.raises(CheckpointError):
        load_projector(model, tmp_path / "projector.safetensors")
