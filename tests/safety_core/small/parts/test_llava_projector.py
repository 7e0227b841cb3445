from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from safety_core.errors import TensorKeyError, TensorShapeError
from safety_core.small.parts.llava_projector import initialize_projector, read_projector


def test_an_untrained_projector_keeps_the_scale_of_its_input() -> None:
    tensors = initialize_projector(96, 32)
    features = torch.randn(1000, 96)
    projected = features @ tensors["multi_modal_projector.linear_1.weight"].float().t()
    assert projected.std() == pytest.approx(1.0, rel=0.1)
    assert not tensors["multi_modal_projector.linear_2.bias"].any()


def test_it_is_the_same_on_every_machine() -> None:
    # Known numbers: a checkpoint pins the digest of files that contain them.
    weight = initialize_projector(96, 32)["multi_modal_projector.linear_1.weight"]
    assert weight.dtype == torch.float16
    assert weight[0, :4].tolist() == [-0.0777587890625, -0.01373291015625, -0.1337890625, 0.00799560546875]


def test_a_trained_projector_is_read_in_16_bit(tmp_path: Path) -> None:
    tensors = {name: torch.full_like(tensor, 0.5).float() for name, tensor in initialize_projector(8, 4).items()}
    save_file(tensors, tmp_path / "projector.safetensors")
    read = read_projector(tmp_path / "projector.safetensors", vision_width=8, llm_width=4)
    assert read.keys() == tensors.keys()
    assert all(tensor.dtype == torch.float16 and bool((tensor == 0.5).all()) for tensor in read.values())


def test_a_projector_of_another_size_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "projector.safetensors"
    save_file(initialize_projector(8, 4), file)
    with pytest.raises(TensorShapeError, match="linear_1"):
        read_projector(file, vision_width=16, llm_width=4)
    save_file({"other": torch.zeros(1)}, file)
    with pytest.raises(TensorKeyError, match="4 tensors missing"):
        read_projector(file, vision_width=8, llm_width=4)
