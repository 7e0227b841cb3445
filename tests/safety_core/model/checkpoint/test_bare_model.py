"""A model without its guard, beside the guarded one: other replies where there is an adapter, and the same weights."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig

from safety_core.errors import ConfigError
from safety_core.inputs.conversation import Turn
from safety_core.model.checkpoint.adapter import attach_adapter
from safety_core.model.checkpoint.backbone import load_backbone
from safety_core.model.checkpoint.bare_model import copy_without_weights, keep_adapted_layers
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.checkpoint.quantization import Quantize
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR
from safety_core.model.safe_llava import SafeLlava
from tests.helpers.models.kernels import use_portable_kernels
from tests.helpers.models.tiny import make_backbone, make_tokenizer

IDS = torch.tensor([[0, 5, 6, 7]])


@torch.no_grad()
def compute_logits(model: SafeLlava) -> torch.Tensor:
    logits: torch.Tensor = model.backbone(input_ids=IDS).logits
    return logits


def get_bare(model: SafeLlava) -> SafeLlava:
    assert model.bare is not None
    return model.bare


def test_without_an_adapter_every_weight_is_shared(tiny_checkpoint: Path) -> None:
    model = load_checkpoint(tiny_checkpoint, keep_bare=True)
    own = {id(parameter) for parameter in model.backbone.parameters()}
    assert {id(parameter) for parameter in get_bare(model).parameters()} == own
    torch.testing.assert_close(compute_logits(get_bare(model)), compute_logits(model), atol=0, rtol=0)


def test_a_merged_adapter_changes_the_guarded_model_alone(adapted_checkpoint: Path) -> None:
    model = load_checkpoint(adapted_checkpoint, keep_bare=True)
    untouched = load_backbone(adapted_checkpoint / BACKBONE_DIR).model
    with torch.no_grad():
        torch.testing.assert_close(compute_logits(get_bare(model)), untouched(input_ids=IDS).logits, atol=0, rtol=0)
    assert not torch.allclose(compute_logits(model), compute_logits(get_bare(model)))
    expected = compute_logits(load_checkpoint(adapted_checkpoint))
    torch.testing.assert_close(compute_logits(model), expected, atol=0, rtol=0)


def test_only_adapted_layers_are_in_memory_twice(adapted_checkpoint: Path) -> None:
    model = load_checkpoint(adapted_checkpoint, keep_bare=True)
    own = {id(parameter) for parameter in model.backbone.parameters()}
    twice = {name for name, parameter in get_bare(model).named_parameters() if id(parameter) not in own}
    assert twice
    assert all("_proj.weight" in name and "language_model.layers" in name for name in twice)


@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_an_adapter_that_is_not_merged_is_left_out_too(
    adapted_checkpoint: Path, tiny_checkpoint: Path, quantize: Quantize
) -> None:
    model = load_checkpoint(adapted_checkpoint, keep_bare=True, merge=False, quantize=quantize)
    plain = load_checkpoint(tiny_checkpoint, quantize=quantize)
    for one in (model, get_bare(model), plain):
        use_portable_kernels(one)
    torch.testing.assert_close(compute_logits(get_bare(model)), compute_logits(plain))
    assert not torch.allclose(compute_logits(model), compute_logits(get_bare(model)))


def test_it_has_no_safety_modules_and_the_same_format_of_conversations(adapted_checkpoint: Path) -> None:
    model = load_checkpoint(adapted_checkpoint, keep_bare=True)
    bare = get_bare(model)
    assert list(bare.safety.parameters()) == []
    assert bare.positions_per_image == bare.projected_positions < model.positions_per_image
    turns = [Turn(role="user", text="What is it?")]
    assert bare.prompts.encode(turns, 1) == model.prompts.encode(turns, 1)
    assert bare.eos_ids == model.eos_ids
    assert not bare.training


def test_an_adapted_embedding_cannot_be_kept_apart() -> None:
    """The output layer may share its weights, which merging would change in both models."""
    backbone = make_backbone(make_tokenizer())
    bare = copy_without_weights(backbone)
    adapter = attach_adapter(backbone, LoraConfig(r=2, target_modules=["embed_tokens"]))
    with pytest.raises(ConfigError, match="linear layers"):
        keep_adapted_layers(bare, adapter)
