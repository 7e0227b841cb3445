from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from safety_core.errors import IntegrityError, TensorKeyError, TensorShapeError
from safety_core.model.checkpoint.tensor_files import check_tensors, convert_to_storage, read_shapes


def test_shapes_come_from_the_header(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros(4)}, tmp_path / "x.safetensors")
    assert read_shapes(tmp_path / "x.safetensors") == {"a": (2, 3), "b": (4,)}


def test_what_is_not_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"no header here at all")
    with pytest.raises(IntegrityError, match=r"x\.safetensors"):
        read_shapes(tmp_path / "x.safetensors")


def test_names_and_shapes_must_agree() -> None:
    check_tensors({"a": (1,)}, {"a": (1,)}, where="x")
    with pytest.raises(TensorKeyError, match=r"1 tensors missing \['b'\], 0 surplus"):
        check_tensors({"a": (1,)}, {"a": (1,), "b": (2,)}, where="x")
    with pytest.raises(TensorKeyError, match=r"0 tensors missing \[\], 1 surplus \['c'\]"):
        check_tensors({"a": (1,), "c": (1,)}, {"a": (1,)}, where="x")
    with pytest.raises(TensorShapeError, match=r"a has shape \(1, 2\), the config needs \(2, 1\)"):
        check_tensors({"a": (1, 2)}, {"a": (2, 1)}, where="x")


def test_storage_is_a_copy_in_the_asked_precision() -> None:
    parameter = torch.nn.Parameter(torch.ones(2, 2).t())
    stored = convert_to_storage({"a": parameter}, torch.float16)["a"]
    assert stored.dtype == torch.float16
    assert stored.is_contiguous()
    assert not stored.requires_grad


@pytest.mark.parametrize("value", [float("nan"), 1e6])
def test_what_16_bit_cannot_hold_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="1 tensors are not finite"):
        convert_to_storage({"fine": torch.ones(1), "broken": torch.tensor([value])}, torch.float16)
