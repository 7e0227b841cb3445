import json
from typing import Any

import pytest
from transformers import AutoConfig, LlamaConfig, LlavaConfig

from safety_core.model.backbones.efficientnet_lite_config import EfficientNetLiteConfig, round_channels
from safety_core.model.backbones.registration import register_towers
from safety_core.model.config import BackboneDims


def test_the_defaults_are_those_of_lite2() -> None:
    config = EfficientNetLiteConfig()
    assert config.stage_channels == (16, 24, 48, 88, 120, 208, 352)
    assert config.stage_repeats == (1, 3, 3, 4, 4, 5, 1)
    assert (config.map_side, config.patch_size) == (9, 28)


def test_channels_are_multiples_of_8_and_never_much_fewer() -> None:
    assert [round_channels(channels) for channels in (1.6, 11.2, 19.2, 26.4, 44, 211.2)] == [8, 16, 24, 24, 48, 208]


@pytest.mark.parametrize("size", [32, 33, 64, 100, 224, 240, 260, 280, 300, 512])
def test_the_grid_of_the_safety_modules_is_the_final_map(size: int) -> None:
    config = LlavaConfig(
        vision_config=EfficientNetLiteConfig(image_size=size),
        text_config=LlamaConfig(hidden_size=32),
        vision_feature_layer=-1,
    )
    dims = BackboneDims.read_config(config)
    assert dims.patch_grid == -(-size // 32)
    assert (dims.vision_width, dims.vision_depth, dims.vision_layers) == (1280, 2, (-1,))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"image_size": 16}, "image_size"),
        ({"image_size": 1275}, "image_size"),
        ({"hidden_size": 700}, "hidden_size"),
        ({"num_classes": 2000}, "hidden_size"),
        ({"num_hidden_layers": 3}, "num_hidden_layers"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        EfficientNetLiteConfig(**change)


def test_transformers_reads_the_config_by_its_type() -> None:
    register_towers()
    made = EfficientNetLiteConfig(width_coefficient=1.0, depth_coefficient=1.0, image_size=224)
    data = json.loads(made.to_json_string())
    read = AutoConfig.for_model(data.pop("model_type"), **data)
    assert isinstance(read, EfficientNetLiteConfig)
    assert read.to_dict() == made.to_dict()
