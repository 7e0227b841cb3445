from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from safety_core.errors import PartsError
from safety_core.model.backbones.efficientnet_lite import EfficientNetLiteModel
from safety_core.model.backbones.efficientnet_lite_config import STAGES
from safety_core.small.parts.tower_weights import convert_tower
from tests.helpers.models.small_parts import make_published_tower
from tests.helpers.models.tiny_convolutional import make_tower_config

CONFIG = make_tower_config(96)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.save(make_published_tower(CONFIG), tmp_path / "tower.pth")
    return tmp_path / "tower.pth"


def run_published(tensors: dict[str, Tensor], x_BChw: Tensor) -> Tensor:
    """The published network with its batch norms; returns its logits."""

    def apply(x_BChw: Tensor, conv: str, norm: str, *, stride: int = 1, groups: int = 1) -> Tensor:
        weight = tensors[f"{conv}.weight"]
        kernel, side = weight.shape[-1], x_BChw.shape[-1]
        missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        x_BChw = F.pad(x_BChw, (missing // 2, missing - missing // 2) * 2)
        y_BChw = F.conv2d(x_BChw, weight, stride=stride, groups=groups)
        mean, variance = tensors[f"{norm}.running_mean"], tensors[f"{norm}.running_var"]
        return F.batch_norm(y_BChw, mean, variance, tensors[f"{norm}.weight"], tensors[f"{norm}.bias"], eps=1e-3)

    x_BChw = F.relu6(apply(x_BChw, "_conv_stem", "_bn0", stride=2))
    number = 0
    for stage, repeats in zip(STAGES, CONFIG.stage_repeats, strict=True):
        for repeat in range(repeats):
            block, y_BChw = f"_blocks.{number}", x_BChw
            if stage.expansion > 1:
                y_BChw = F.relu6(apply(y_BChw, f"{block}._expand_conv", f"{block}._bn0"))
            stride, groups = stage.stride if repeat == 0 else 1, y_BChw.shape[1]
            y_BChw = apply(y_BChw, f"{block}._depthwise_conv", f"{block}._bn1", stride=stride, groups=groups)
            y_BChw = apply(F.relu6(y_BChw), f"{block}._project_conv", f"{block}._bn2")
            x_BChw = x_BChw + y_BChw if y_BChw.shape == x_BChw.shape and stride == 1 else y_BChw
            number += 1
    pooled_BV = F.relu6(apply(x_BChw, "_conv_head", "_bn1")).mean((2, 3))
    return F.linear(pooled_BV, tensors["_fc.weight"], tensors["_fc.bias"])


@torch.no_grad()
def test_the_converted_tower_computes_what_was_published(file: Path) -> None:
    tensors = convert_tower(file, CONFIG)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    tower = EfficientNetLiteModel(CONFIG)
    tower.load_state_dict({name.removeprefix("vision_tower."): tensor.float() for name, tensor in tensors.items()})
    pixels_BCHW = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    found = tower.classifier(tower(pixels_BCHW).pooler_output)
    expected = run_published(make_published_tower(CONFIG), pixels_BCHW)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)
    assert expected.std() > 0.1


@pytest.mark.parametrize(("change", "message"), [("missing", "_bn1.bias is missing"), ("surplus", "1 unknown tensors")])
def test_tensors_must_be_complete(file: Path, change: str, message: str) -> None:
    tensors = make_published_tower(CONFIG)
    if change == "missing":
        del tensors["_blocks.2._bn1.bias"]
    else:
        tensors["stowaway"] = torch.zeros(1)
    torch.save(tensors, file)
    with pytest.raises(PartsError, match=message):
        convert_tower(file, CONFIG)


def test_a_file_of_code_is_not_executed(tmp_path: Path) -> None:
    torch.save({"module": torch.nn.Linear(1, 1)}, tmp_path / "tower.pth")
    with pytest.raises(PartsError, match="is not a file of tensors"):
        convert_tower(tmp_path / "tower.pth", CONFIG)
