"""A quick step against the forward pass of transformers, and the models that have none."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import DynamicCache, LlamaConfig, LlamaModel, MistralConfig, MistralModel

from safety_core.model.llama_step import CACHE_ARGUMENT, has_quick_step, run_quick_step

ROWS, PROMPT, STEPS = 3, 7, 12


def llama(**changes: Any) -> LlamaModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "vocab_size": 64,
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 6,
        "max_position_embeddings": 16,
    }
    model: LlamaModel = LlamaModel(LlamaConfig(**(settings | changes)))
    for name, parameter in model.named_parameters():
        if "norm" in name or "bias" in name:  # which start as ones and zeros
            torch.nn.init.normal_(parameter, mean=1.0)
    model.eval()
    return model


def _held(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return layer.keys, layer.values


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_key_value_heads": 2},
        {"attention_bias": True, "mlp_bias": True},
        {"head_dim": 16},
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}},
        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},
        {"rms_norm_eps": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_a_quick_step_is_the_forward_pass(changes: dict[str, Any], dtype: torch.dtype) -> None:
    model = llama(**changes)
    torch.nn.Module.to(model, dtype)
    assert has_quick_step(model)
    prompt = torch.randn(ROWS, PROMPT, 48, dtype=dtype)
    caches = DynamicCache(), DynamicCache()
    for cache in caches:
        model(inputs_embeds=prompt, use_cache=True, **{CACHE_ARGUMENT: cache})
    for step in range(STEPS):
        embeds = torch.randn(ROWS, 1, 48, dtype=dtype)
        positions = torch.full((ROWS, 1), PROMPT + step)
        # Each row sees another part of what it could see, and its own position.
        mask = torch.rand(ROWS, 1, 1, PROMPT + step + 1) < 0.7
        mask[..., -1] = True
        slow = model(
            inputs_embeds=embeds,
            attention_mask=mask,
            position_ids=positions,
            use_cache=True,
            **{CACHE_ARGUMENT: caches[0]},
        ).last_hidden_state
        torch.testing.assert_close(run_quick_step(model, embeds, positions, mask, caches[1]), slow)
    for slow_layer, quick_layer in zip(caches[0].layers, caches[1].layers, strict=True):
        torch.testing.assert_close(_held(quick_layer), _held(slow_layer))


def test_other_models_have_no_quick_step() -> None:
    model = llama()
    assert has_quick_step(model)
    assert not has_quick_step(model.train())
    assert not has_quick_step(llama(attn_implementation="eager"))
    assert not has_quick_step(get_peft_model(llama(), LoraConfig(target_modules=["q_proj"], r=2)))
    mistral = MistralConfig(
        vocab_size=64, hidden_size=48, intermediate_size=80, num_hidden_layers=1, num_attention_heads=6
    )
    assert not has_quick_step(MistralModel(mistral).eval())


def test_modules_with_hooks_or_a_replaced_forward_keep_the_forward_pass() -> None:
    for path in ("", "layers.1", "layers.1.self_attn", "layers.1.mlp", "layers.1.input_layernorm", "norm"):
        hooked = llama()
        hooked.get_submodule(path).register_forward_hook(lambda *_: None)
        assert not has_quick_step(hooked), path
        replaced = llama()
        module = replaced.get_submodule(path)
        module.forward = deepcopy(module.forward)  # as libraries do that divide a model between devices
        assert not has_quick_step(replaced), path


@torch.inference_mode()
def test_adapters_inside_the_layers_take_part() -> None:
    """Their linear layers are called as modules."""
    model = llama()
    adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj", "down_proj"], r=2, init_lora_weights=False))
    inner = adapted.base_model.model
    assert inner is model
    assert has_quick_step(model.eval())
    embeds, positions = torch.randn(1, 1, 48), torch.zeros(1, 1, dtype=torch.long)
    mask = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    slow = model(inputs_embeds=embeds, attention_mask=mask, position_ids=positions).last_hidden_state
    torch.testing.assert_close(run_quick_step(model, embeds, positions, mask, DynamicCache()), slow)
    with adapted.disable_adapter():
        plain = model(inputs_embeds=embeds, attention_mask=mask, position_ids=positions).last_hidden_state
    assert not torch.equal(plain, slow)
