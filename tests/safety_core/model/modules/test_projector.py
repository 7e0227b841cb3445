import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from safety_core.model.config import BackboneDims, Mixing, ProjectorConfig, SafetyConfig
from safety_core.model.modules.projector import Conv1x1, Depthwise3x3, LayerConcatenator, LayerMixer, SafetyProjector
from safety_core.model.modules.safety_modules import SafetyModules


def make(dims: BackboneDims, num_layers: int = 1, grid: int = 4, mixing: Mixing = "mean") -> SafetyProjector:
    torch.manual_seed(0)
    config = ProjectorConfig(hidden=16, grid=grid, depth=1, mixing=mixing)
    return SafetyProjector(dims, config, num_layers=num_layers)


@pytest.mark.parametrize("grid", [4, 2, 3])
def test_output_is_one_feature_a_grid_cell(dims: BackboneDims, grid: int) -> None:
    safe_BMD = make(dims, grid=grid)([torch.randn(2, 16, 24)])
    assert safe_BMD.shape == (2, grid * grid, 32)


def test_a_feature_stands_for_its_place_in_the_picture(dims: BackboneDims) -> None:
    # Squeeze-excite reaches everywhere, if faintly; convolutions reach the neighbours.
    projector, feat_BNV = make(dims), torch.randn(1, 16, 24)
    touched = feat_BNV.clone()
    touched[0, 11] += 1.0
    change_M = (projector([touched]) - projector([feat_BNV])).norm(dim=-1)[0]
    row, column = torch.arange(16) // 4, torch.arange(16) % 4
    near = ((row - 2).abs() <= 2) & ((column - 3).abs() <= 2)
    assert change_M[11] > 3 * change_M.median()
    assert change_M[near].mean() > 5 * change_M[~near].mean()


def test_images_of_a_batch_do_not_meet(dims: BackboneDims) -> None:
    projector, feat_BNV = make(dims), torch.randn(3, 16, 24)
    alone = torch.cat([projector([feat_BNV[row : row + 1]]) for row in range(3)])
    torch.testing.assert_close(projector([feat_BNV]), alone)


def test_every_mixed_layer_matters_and_none_wins_by_scale() -> None:
    mixer, layer = LayerMixer(2), torch.randn(2, 16, 24)
    other = torch.randn(2, 16, 24)
    torch.testing.assert_close(mixer([layer * 1000, other]), mixer([layer, other]), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(mixer([layer, other]), mixer([layer, layer]))


def test_concatenated_layers_keep_all_of_their_channels() -> None:
    concatenator, layers = LayerConcatenator(), [torch.randn(2, 16, 24) for _ in range(3)]
    both = concatenator(layers)
    assert both.shape == (2, 16, 72)
    torch.testing.assert_close(concatenator([layers[0] * 1000, *layers[1:]]), both, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(both[..., 24:48], nn.LayerNorm(24, elementwise_affine=False)(layers[1]))


def test_the_first_block_reads_concatenated_layers(dims: BackboneDims) -> None:
    projector = make(dims, num_layers=3, mixing="concatenate")
    assert projector.stage_in[0].get_submodule("expand.0").weight.shape == (16, 72, 1, 1)
    assert not any("mixer" in name for name, _ in projector.named_parameters())
    layers = [torch.randn(2, 16, 24) for _ in range(3)]
    safe_BMD = projector(layers)
    for changed in range(3):
        others = [layer + torch.randn_like(layer) * (index == changed) for index, layer in enumerate(layers)]
        assert not torch.allclose(projector(others), safe_BMD)


def test_a_single_layer_is_used_unchanged(dims: BackboneDims) -> None:
    feat_BNV = torch.randn(1, 16, 24) * 7
    torch.testing.assert_close(make(dims, mixing="concatenate")([feat_BNV]), make(dims)([feat_BNV]))


@pytest.mark.parametrize("mixing", ["mean", "concatenate"])
def test_layer_count_must_match(dims: BackboneDims, mixing: Mixing) -> None:
    with pytest.raises(ValueError, match="1 vision layers were given, 2 are needed"):
        make(dims, num_layers=2, mixing=mixing)([torch.randn(1, 16, 24)])
    with pytest.raises(ValueError, match="2 vision layers were given, 1 are needed"):
        make(dims)([torch.randn(1, 16, 24)] * 2)


def test_patches_must_fill_the_grid(dims: BackboneDims) -> None:
    with pytest.raises(ValueError, match="17 patches were given, a grid of 4x4"):
        make(dims)([torch.randn(1, 17, 24)])


def test_convolutions_with_channels_last_are_torchs_own() -> None:
    x_BhwC = torch.randn(2, 5, 3, 8)
    for ours, plain in (
        (Conv1x1(8, 6), nn.Conv2d(8, 6, 1)),
        (Depthwise3x3(8), nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)),
    ):
        plain.load_state_dict(ours.state_dict())
        expected = plain(x_BhwC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        torch.testing.assert_close(ours(x_BhwC), expected)


def test_a_fresh_projector_keeps_the_scale_of_what_it_reads(dims: BackboneDims) -> None:
    wide = replace(dims, vision_width=64, llm_width=64)
    modules = SafetyModules(wide, SafetyConfig.create_default(wide), num_types=7, num_levels=4).init_weights(
        torch.Generator().manual_seed(0)
    )
    safe_BMD = modules.project_features([torch.randn(8, 16, 64, generator=torch.Generator().manual_seed(1))])
    between_images = safe_BMD.std(dim=0).mean() / safe_BMD.std()
    assert 0.01 < safe_BMD.std() < 10
    assert between_images > 0.3


@pytest.mark.parametrize(("layers", "mixing"), [(1, "mean"), (2, "mean"), (3, "concatenate")])
def test_inference_equals_what_is_trained(dims: BackboneDims, layers: int, mixing: Mixing) -> None:
    projector = make(dims, num_layers=layers, grid=2, mixing=mixing)
    feat_BNV = [torch.randn(3, 16, 24) for _ in range(layers)]
    given = [feat.clone() for feat in feat_BNV]
    trained_BMD = projector(feat_BNV)
    with torch.inference_mode():
        torch.testing.assert_close(projector(feat_BNV), trained_BMD.detach(), atol=1e-6, rtol=1e-5)
    for before, after in zip(given, feat_BNV, strict=True):
        assert torch.equal(before, after), "the features are the language model's too"


def test_inference_sees_every_change_of_a_parameter(dims: BackboneDims) -> None:
    projector, feat_BNV = make(dims), [torch.randn(1, 16, 24)]

    def check() -> None:
        with torch.inference_mode():
            inferred = projector(feat_BNV)
        torch.testing.assert_close(inferred, projector(feat_BNV).detach(), atol=1e-6, rtol=1e-5)

    check()
    conv = next(module for module in projector.modules() if isinstance(module, Conv1x1))
    with torch.no_grad():
        conv.weight.normal_()
    check()
    conv.weight = nn.Parameter(torch.randn(conv.weight.shape))
    check()
    state = {name: torch.randn_like(value) for name, value in projector.state_dict().items()}
    projector.load_state_dict(state, assign=True)
    check()
    for parameter in projector.parameters():
        parameter.data = parameter.data.clone() * 0.5
    check()
    projector.stage_out[0].get_submodule("reduce").register_module("0", Conv1x1(16, 16, bias=False))
    check()
    projector.double()
    feat_BNV = [feat.double() for feat in feat_BNV]
    check()
    copied = copy.deepcopy(projector)
    with torch.no_grad():
        for parameter in projector.parameters():
            parameter.zero_()
    with torch.inference_mode():
        assert not torch.equal(copied(feat_BNV), projector(feat_BNV)), "a copy has parameters of its own"


def test_inference_refuses_a_block_that_it_does_not_know(dims: BackboneDims) -> None:
    wrapped, computed = make(dims), make(dims)
    wrapped.stage_out[0] = nn.Sequential(wrapped.stage_out[0])
    conv = next(module for module in computed.modules() if isinstance(module, Conv1x1))
    nn.utils.parametrizations.weight_norm(conv)
    for projector in (wrapped, computed):
        with torch.inference_mode(), pytest.raises(TypeError):
            projector([torch.randn(1, 16, 24)])


def test_no_pictures_have_no_features(dims: BackboneDims) -> None:
    projector, nothing = make(dims), [torch.zeros(0, 16, 24)]
    with torch.inference_mode():
        assert projector(nothing).shape == projector([feat.clone() for feat in nothing]).shape
        assert len(projector(nothing)) == 0
