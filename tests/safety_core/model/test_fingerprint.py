from dataclasses import replace
from typing import Literal

import pytest
import torch
from peft import LoraConfig
from transformers import PreTrainedTokenizerFast

from safety_core.model.checkpoint.adapter import attach_adapter
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.fingerprint import compute_prompt_fingerprint, compute_tower_fingerprint
from safety_core.model.prompt_reader import get_decoder
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.untrained import create_untrained
from tests.helpers.models.tiny import make_backbone, make_image_processor


def build(
    tokenizer: PreTrainedTokenizerFast, *, strategy: Literal["default", "full"] = "default", seed: int = 0
) -> SafeLlava:
    backbone = make_backbone(tokenizer)
    backbone.config.vision_feature_select_strategy = strategy
    return create_untrained(backbone, tokenizer=tokenizer, image_processor=make_image_processor(), seed=seed)


@pytest.mark.parametrize("with_projector", [True, False])
def test_equal_towers_have_equal_fingerprints(tokenizer: PreTrainedTokenizerFast, with_projector: bool) -> None:
    one, other = build(tokenizer), build(tokenizer, seed=1)
    other.backbone.load_state_dict(one.backbone.state_dict())
    expected = compute_tower_fingerprint(one, with_projector=with_projector)
    assert compute_tower_fingerprint(other, with_projector=with_projector) == expected


def test_the_fingerprint_of_texts_depends_on_the_layers_that_read_them(tokenizer: PreTrainedTokenizerFast) -> None:
    def build_reader(layers: int) -> SafeLlava:
        backbone = make_backbone(tokenizer)
        config = replace(SafetyConfig.create_default(BackboneDims.read_config(backbone.config)), prompt_layers=layers)
        return create_untrained(backbone, tokenizer=tokenizer, image_processor=make_image_processor(), config=config)

    model = build_reader(1)
    same, deeper = compute_prompt_fingerprint(build_reader(1)), compute_prompt_fingerprint(build_reader(2))
    before = compute_prompt_fingerprint(model)
    assert before == same != deeper
    attach_adapter(
        model.backbone, LoraConfig(target_modules=["q_proj"], layers_to_transform=[1], layers_pattern="layers")
    )
    assert compute_prompt_fingerprint(model) == before, "the adapter leaves these layers alone"
    with torch.no_grad():
        get_decoder(model.backbone).get_parameter("layers.1.mlp.up_proj.weight").add_(1.0)
    assert compute_prompt_fingerprint(model) == before, "later layers do not count"
    with torch.no_grad():
        get_decoder(model.backbone).get_parameter("layers.0.mlp.up_proj.weight").add_(1.0)
    assert compute_prompt_fingerprint(model) != before


def test_weights_and_preprocessing_change_the_fingerprint(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(tokenizer)
    found = {compute_tower_fingerprint(model, with_projector=False)}
    monkeypatch.setattr(model.image_processor, "image_mean", [0.1, 0.2, 0.3])
    found.add(compute_tower_fingerprint(model, with_projector=False))
    with torch.no_grad():
        next(model.backbone.model.vision_tower.parameters()).add_(1.0)
    found.add(compute_tower_fingerprint(model, with_projector=False))
    assert len(found) == 3


def test_projected_features_depend_on_the_projector_and_on_the_positions_that_it_reads(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = build(tokenizer)
    own, projected = (compute_tower_fingerprint(model, with_projector=both) for both in (False, True))
    model.backbone.config.vision_feature_select_strategy = "full"
    assert compute_tower_fingerprint(model, with_projector=False) == own
    strategy_changed = compute_tower_fingerprint(model, with_projector=True)
    with torch.no_grad():
        next(model.backbone.model.multi_modal_projector.parameters()).add_(1.0)
    assert compute_tower_fingerprint(model, with_projector=False) == own
    assert len({projected, strategy_changed, compute_tower_fingerprint(model, with_projector=True)}) == 3
