import json
from dataclasses import replace
from typing import Any

import pytest
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

from safety_core.errors import ConfigError
from safety_core.model.config import BackboneDims, HeadConfig, ProjectorConfig, SafetyConfig

DIMS = BackboneDims(vision_width=192, llm_width=256, patch_grid=10, vision_depth=6)
CONFIG = SafetyConfig.create_default(DIMS)


def test_dims_come_from_the_backbone_config_alone() -> None:
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(hidden_size=192, image_size=140, patch_size=14, num_hidden_layers=6),
        text_config=LlamaConfig(hidden_size=256),
        vision_feature_layer=-2,
    )
    assert BackboneDims.read_config(config) == DIMS
    assert DIMS.patches == 100


def test_a_backbone_that_concatenates_layers_keeps_them_all() -> None:
    config = LlavaConfig(vision_feature_layer=[-2, -5])
    assert BackboneDims.read_config(config).vision_layers == (-2, -5)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        SafetyConfig.create_paper_variant(DIMS),
        replace(CONFIG, vision_layers=(-1, 2), use_llm_tokens=False),
        replace(CONFIG, use_head=False),
        replace(CONFIG, prompt_layers=12),
        replace(CONFIG, vision_layers=(0, 1), projector=replace(CONFIG.projector, mixing="concatenate")),
    ],
)
def test_config_survives_json(config: SafetyConfig) -> None:
    assert SafetyConfig.parse(json.loads(json.dumps(config.to_dict()))) == config


def test_a_file_without_the_field_means_the_mean_of_layers_and_is_written_unchanged() -> None:
    data = CONFIG.to_dict()
    assert data["projector"] == {"hidden": 204, "grid": 10, "depth": 3, "se_ratio": 0.25}
    read = SafetyConfig.parse(data)
    assert read.projector.mixing == "mean"
    assert read.to_dict() == data


def test_dims_survive_json() -> None:
    assert BackboneDims.parse(json.loads(json.dumps(DIMS.to_dict()))) == DIMS


def test_default_derives_every_width_from_the_backbone() -> None:
    nano, big = CONFIG, SafetyConfig.create_default(replace(DIMS, vision_width=1024, llm_width=4096, patch_grid=24))
    assert (nano.projector.grid, big.projector.grid) == (10, 24)
    assert nano.projector.hidden < big.projector.hidden
    assert nano.head.context_width < big.head.context_width < 4096
    assert nano.num_safety_tokens <= 8


def test_vision_layers_default_to_the_backbones_own() -> None:
    assert CONFIG.select_layers(DIMS) == (-2,)
    assert replace(CONFIG, vision_layers=(-1, 3)).select_layers(DIMS) == (-1, 3)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"num_safety_tokens": "8"}, "num_safety_tokens"),
        ({"num_safety_tokens": -1}, "num_safety_tokens"),
        ({"use_head": 1}, "use_head"),
        ({"prompt_layers": -1}, "prompt_layers"),
        ({"prompt_layers": "12"}, "prompt_layers"),
        ({"surprise": 1}, "surprise"),
        ({"vision_layers": [1.5]}, "vision_layers"),
        ({"head": {"num_heads": 8}}, "context_layers"),
        ({"head": []}, "config.head"),
        ({"projector": CONFIG.projector.to_dict() | {"mixing": "sum"}}, r"config\.projector\.mixing"),
    ],
)
def test_malformed_config_names_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        SafetyConfig.parse(CONFIG.to_dict() | change)


def test_a_checkpoint_of_an_earlier_release_reads_embeddings() -> None:
    data = replace(CONFIG, prompt_layers=3).to_dict()
    del data["prompt_layers"]
    assert SafetyConfig.parse(data) == CONFIG


def test_missing_field_is_named() -> None:
    data = CONFIG.to_dict()
    del data["projector"]
    with pytest.raises(ConfigError, match=r"^config\.projector: the field is missing"):
        SafetyConfig.parse(data)


@pytest.mark.parametrize("layers", [(), (7,), (-8,), (1, 1), (-1, 6)])
def test_layers_outside_the_tower_or_named_twice_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="vision_layers"):
        replace(CONFIG, vision_layers=layers).select_layers(DIMS)


@pytest.mark.parametrize(
    "broken",
    [
        {"num_heads": 0},
        {"context_layers": -1},
        {"context_width": 24},
        {"context_width": 0},
        {"fusion_width": 0},
        {"fusion": "sum"},
        {"pooling": "last"},
        {"dropout": 1.0},
    ],
)
def test_impossible_heads_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"config\.head"):
        replace(CONFIG.head, **broken)


def test_impossible_projectors_are_refused() -> None:
    with pytest.raises(ConfigError, match="positive"):
        ProjectorConfig(hidden=0, grid=4)
    with pytest.raises(ConfigError, match="se_ratio"):
        ProjectorConfig(hidden=8, grid=4, se_ratio=0.0)
    unknown: Any = "sum"
    with pytest.raises(ConfigError, match=r"config\.projector\.mixing: must be one of"):
        ProjectorConfig(hidden=8, grid=4, mixing=unknown)


def test_impossible_backbones_are_refused() -> None:
    with pytest.raises(ConfigError, match="llm_width"):
        replace(DIMS, llm_width=0)


def test_the_reference_head_reads_no_words() -> None:
    reference = HeadConfig.create_reference()
    assert (reference.context_layers, reference.fusion, reference.pooling) == (0, "bare", "first_token")
