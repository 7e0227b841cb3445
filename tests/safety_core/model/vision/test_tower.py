from typing import Any, Literal

import pytest
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from safety_core.model.config import BackboneDims
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import (
    VisionFeatures,
    count_projected_positions,
    count_tower_positions,
    find_own_layers,
    run_tower,
)
from tests.helpers.models.tiny import make_backbone, make_siglip_backbone
from tests.helpers.models.tiny_convolutional import make_convolutional_backbone


def test_features_are_llavas_own(model: SafeLlava, pictures: list[Image.Image]) -> None:
    pixels = model.preprocess(pictures)
    vision = model.encode_images(pixels)
    with torch.no_grad():
        theirs = model.backbone.get_image_features(pixels, return_dict=True)
    torch.testing.assert_close(vision.projected_BPD, torch.stack(list(theirs.pooler_output)))
    torch.testing.assert_close(vision.layers[0], theirs.hidden_states[-2][:, 1:])


@torch.no_grad()
def test_class_token_reaches_the_llm_only_where_llava_says_so(tokenizer: PreTrainedTokenizerFast) -> None:
    backbone = make_backbone(tokenizer)
    backbone.config.vision_feature_select_strategy = "full"
    dims = BackboneDims.read_config(backbone.config)
    vision = run_tower(backbone, torch.randn(2, 3, 28, 28), dims, (-2, 0))
    assert vision.projected_BPD.shape == (2, 17, 32)
    assert [layer.shape for layer in vision.layers] == [(2, 16, 24)] * 2


@torch.no_grad()
@pytest.mark.parametrize(("strategy", "positions"), [("full", 16), ("default", 15)])
def test_a_tower_without_a_class_token(
    tokenizer: PreTrainedTokenizerFast, strategy: Literal["default", "full"], positions: int
) -> None:
    backbone = make_siglip_backbone(tokenizer, strategy)
    dims = BackboneDims.read_config(backbone.config)
    pixels = torch.randn(2, 3, 28, 28)
    vision = run_tower(backbone, pixels, dims, (-2,))
    theirs = backbone.get_image_features(pixels, return_dict=True)
    torch.testing.assert_close(vision.projected_BPD, torch.stack(list(theirs.pooler_output)))
    assert count_tower_positions(backbone.config) == 16
    assert count_projected_positions(backbone.config) == positions == vision.projected_BPD.shape[1]
    torch.testing.assert_close(vision.layers[0], theirs.hidden_states[-2])


@pytest.mark.parametrize(("strategy", "positions"), [("full", 17), ("default", 16)])
def test_a_tower_with_a_class_token(
    tokenizer: PreTrainedTokenizerFast, strategy: Literal["default", "full"], positions: int
) -> None:
    config = make_backbone(tokenizer).config
    config.vision_feature_select_strategy = strategy
    assert (count_tower_positions(config), count_projected_positions(config)) == (17, positions)


@pytest.mark.parametrize(
    ("own", "read", "places"),
    [((-2,), (-2,), (0,)), ((-1,), (0, 1, 2), (2,)), ((-1, 0), (2, 1, 0), (0, 2)), ((-1,), (0, 1), None)],
)
def test_llavas_own_layers_are_found_among_those_that_are_read(
    own: tuple[int, ...], read: tuple[int, ...], places: tuple[int, ...] | None
) -> None:
    dims = BackboneDims(vision_width=24, llm_width=32, patch_grid=4, vision_depth=2, vision_layers=own)
    assert find_own_layers(dims, read) == places


def features(images: int, layers: int = 1) -> VisionFeatures:
    rows = torch.arange(images, dtype=torch.float32)[:, None, None]
    return VisionFeatures(tuple(rows.expand(-1, 4, 2) for _ in range(layers)), rows.expand(-1, 4, 3))


def test_rows_are_chosen_by_slice_or_by_list() -> None:
    vision = features(4)
    assert len(vision) == 4
    assert vision[1:3].projected_BPD[:, 0, 0].tolist() == [1, 2]
    assert vision[[3, 0]].layers[0][:, 0, 0].tolist() == [3, 0]
    assert len(vision[[]]) == 0


def test_batches_join_in_order() -> None:
    joined = VisionFeatures.concatenate([features(2), features(3)])
    assert joined.projected_BPD[:, 0, 0].tolist() == [0, 1, 0, 1, 2]
    assert len(joined.layers) == 1


def test_batches_of_different_layers_do_not_join() -> None:
    with pytest.raises(ValueError, match=r"\[1, 2\] layers cannot be concatenated"):
        VisionFeatures.concatenate([features(1, layers=1), features(1, layers=2)])
    with pytest.raises(ValueError, match="0 batches"):
        VisionFeatures.concatenate([])


def test_positions_of_a_convolutional_tower_are_counted_in_any_precision() -> None:
    config: Any = make_convolutional_backbone().model.config
    config.vision_config.dtype = torch.bfloat16
    assert count_tower_positions(config) == config.image_seq_length
