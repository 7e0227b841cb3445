import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import AutoModel

from safety_core.model.backbones.efficientnet_lite import (
    EfficientNetLiteModel,
    SameConvolution,
    fold_batch_norm,
)
from safety_core.model.backbones.efficientnet_lite_config import EfficientNetLiteConfig
from tests.helpers.models.tiny_convolutional import CLASSES, VISION_WIDTH, make_tower_config


def make_tower(image_size: int = 96) -> EfficientNetLiteModel:
    torch.manual_seed(0)
    tower = EfficientNetLiteModel(make_tower_config(image_size))
    nn.Module.eval(tower)
    return tower


@torch.no_grad()
def test_hidden_states_are_inner_maps_class_scores_and_features() -> None:
    tower, pixels_BCHW = make_tower(), torch.randn(2, 3, 96, 96)
    output = tower(pixels_BCHW, output_hidden_states=True)
    inner_BNV, scores_BNV, feat_BNV = output.hidden_states
    assert inner_BNV.shape == scores_BNV.shape == feat_BNV.shape == (2, 9, VISION_WIDTH)
    assert torch.equal(feat_BNV, output.last_hidden_state)
    torch.testing.assert_close(scores_BNV[..., :CLASSES], tower.classifier(feat_BNV).softmax(-1))
    torch.testing.assert_close(scores_BNV.sum(-1), torch.ones(2, 9))
    assert not scores_BNV[..., CLASSES:].any()
    torch.testing.assert_close(output.pooler_output, feat_BNV.mean(1))
    maps, x_BChw = [], F.relu6(tower.stem(pixels_BCHW))
    for stage in tower.stages:
        x_BChw = stage(x_BChw)
        maps.append(F.adaptive_avg_pool2d(x_BChw, 3).flatten(2).transpose(1, 2))
    expected_BNC = torch.cat([maps[2], maps[4], maps[5], maps[6]], dim=-1)
    torch.testing.assert_close(inner_BNV[..., : expected_BNC.shape[-1]], expected_BNC)
    assert not inner_BNV[..., expected_BNC.shape[-1] :].any()


@torch.no_grad()
@pytest.mark.parametrize(("size", "side"), [(32, 1), (33, 2), (64, 2), (100, 4), (224, 7), (260, 9)])
def test_the_map_follows_the_size_of_the_picture(size: int, side: int) -> None:
    output = make_tower()(torch.randn(1, 3, size, size), output_hidden_states=True)
    assert {state.shape for state in output.hidden_states} == {(1, side * side, VISION_WIDTH)}


@torch.no_grad()
def test_hidden_states_are_computed_on_request_and_tuples_too() -> None:
    tower, pixels_BCHW = make_tower(), torch.randn(1, 3, 32, 32)
    assert tower(pixels_BCHW).hidden_states is None
    assert tower(pixels_BCHW, output_hidden_states=False).hidden_states is None
    # Later versions of transformers request them by index.
    assert len(tower(pixels_BCHW, output_hidden_states=[-1]).hidden_states) == 3
    assert torch.equal(tower(pixels_BCHW, return_dict=False)[0], tower(pixels_BCHW).last_hidden_state)


@torch.no_grad()
def test_a_feature_stands_for_its_place_in_the_picture() -> None:
    tower, pixels_BCHW = make_tower(), torch.zeros(1, 3, 288, 288)
    touched = pixels_BCHW.clone()
    touched[:, :, 32:64, 224:256] = 2.0
    change_N = (tower(touched).last_hidden_state - tower(pixels_BCHW).last_hidden_state)[0].norm(dim=-1)
    row, column = divmod(int(change_N.argmax()), 9)
    assert abs(row - 1) <= 1
    assert abs(column - 7) <= 1


@torch.no_grad()
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before", "after"),
    [
        (260, 3, 2, 0, 1),
        (130, 3, 2, 0, 1),
        (65, 5, 2, 2, 2),
        (64, 5, 2, 1, 2),
        (33, 3, 2, 1, 1),
        (9, 3, 1, 1, 1),
        (9, 5, 1, 2, 2),
        (4, 1, 2, 0, 0),
    ],
)
def test_padding_is_tensorflows(size: int, kernel: int, stride: int, before: int, after: int) -> None:
    conv, x_BChw = SameConvolution(2, 3, kernel, stride=stride), torch.randn(1, 2, size, size)
    padded = F.pad(x_BChw, (before, after, before, after))
    torch.testing.assert_close(conv(x_BChw), F.conv2d(padded, conv.weight, conv.bias, stride=stride))


@torch.no_grad()
@pytest.mark.parametrize("groups", [1, 6])
def test_a_folded_batch_norm_computes_the_same(groups: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 12, 3, groups=groups, bias=False)
    norm = nn.BatchNorm2d(12, eps=1e-3).eval()
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        assert tensor is not None
        tensor.normal_()
    assert norm.running_var is not None
    norm.running_var.uniform_(0.01, 4)
    assert norm.running_mean is not None
    weight, bias = fold_batch_norm(
        conv.weight,
        scale=norm.weight,
        shift=norm.bias,
        mean=norm.running_mean,
        variance=norm.running_var,
        epsilon=norm.eps,
    )
    x_BChw = torch.randn(2, 6, 8, 8)
    torch.testing.assert_close(F.conv2d(x_BChw, weight, bias, groups=groups), norm(conv(x_BChw)), atol=1e-5, rtol=1e-5)


def test_lite2_has_the_published_size() -> None:
    with torch.device("meta"):
        tower = AutoModel.from_config(EfficientNetLiteConfig())
    assert isinstance(tower, EfficientNetLiteModel)
    assert tower.num_parameters() == 6_063_024


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_features_are_close(dtype: torch.dtype) -> None:
    tower, pixels_BCHW = make_tower(), torch.randn(1, 3, 96, 96)
    exact = tower(pixels_BCHW).last_hidden_state
    rounded = nn.Module.to(tower, dtype)(pixels_BCHW.to(dtype)).last_hidden_state
    assert rounded.dtype == dtype
    assert (rounded.float() - exact).norm() < 0.1 * exact.norm()


def test_a_tower_can_be_trained() -> None:
    tower = make_tower().train()
    output = tower(torch.randn(2, 3, 64, 64), output_hidden_states=True)
    sum(state.square().mean() for state in output.hidden_states).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in tower.parameters())


@torch.no_grad()
def test_a_fresh_tower_keeps_the_scale_of_the_picture() -> None:
    states = make_tower()(torch.randn(4, 3, 96, 96), output_hidden_states=True).hidden_states
    for state in (states[0][..., :80], states[2]):
        assert 0.05 < state.std() < 20
