from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

from safety_core.model.config import BackboneDims, HeadConfig, SafetyConfig
from safety_core.model.modules.safety_modules import SafetyModules


def real_dims(llm_width: int, llm_layers: int, llm_heads: int) -> BackboneDims:
    """LLaVA-1.5's published configuration."""
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=24,
            num_attention_heads=16,
            image_size=336,
            patch_size=14,
        ),
        text_config=LlamaConfig(
            hidden_size=llm_width, num_hidden_layers=llm_layers, num_attention_heads=llm_heads, vocab_size=32064
        ),
    )
    return BackboneDims.read_config(config)


def millions(module: nn.Module | None) -> float:
    assert module is not None
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


# As the paper gives them: the projector's figures with the second decimal cut off, the head's rounded.
@pytest.mark.parametrize(
    ("dims", "projector", "head"),
    [(real_dims(4096, 32, 32), 40.1, 67.2), (real_dims(5120, 40, 40), 50.6, 104.9)],
    ids=["7B", "13B"],
)
def test_the_papers_variant_has_the_published_parameter_counts(
    dims: BackboneDims, projector: float, head: float
) -> None:
    with torch.device("meta"):
        modules = SafetyModules(dims, SafetyConfig.create_paper_variant(dims), num_types=7, num_levels=4)
    assert millions(modules.projector) == pytest.approx(projector, abs=0.1)
    assert millions(modules.head) == pytest.approx(head, abs=0.05)
    assert modules.head_tokens_SD is not None
    assert modules.head_tokens_SD.shape == (64, dims.llm_width)
    assert dims.patches == 576


@pytest.mark.parametrize("dims", [real_dims(4096, 32, 32), real_dims(5120, 40, 40)], ids=["7B", "13B"])
def test_the_designed_variant_fits_real_backbones(dims: BackboneDims) -> None:
    with torch.device("meta"):
        modules = SafetyModules(dims, SafetyConfig.create_default(dims), num_types=7, num_levels=4)
    assert millions(modules) < 200


def test_initialisation_is_as_its_table_says(dims: BackboneDims) -> None:
    wide = replace(dims, llm_width=256)
    modules = SafetyModules(wide, SafetyConfig.create_default(wide), num_types=7, num_levels=4)
    for parameter in modules.parameters():
        nn.init.constant_(parameter, float("nan"))
    modules.init_weights(torch.Generator().manual_seed(0))
    assert all(parameter.isfinite().all() for parameter in modules.parameters())
    assert modules.llm_tokens_SD is not None
    assert modules.llm_tokens_SD.std().item() == pytest.approx(0.02, rel=0.1)
    assert modules.head is not None
    assert modules.head.cross.query.weight.std().item() == pytest.approx(256**-0.5, rel=0.1)
    assert modules.head.cross.out.weight.std().item() == pytest.approx(0.5 * 256**-0.5, rel=0.1)
    assert not modules.head.type_classifier.weight.any()
    assert (modules.head.key_norm.weight == 1).all()


def test_initialisation_depends_on_the_seed_alone(dims: BackboneDims) -> None:
    def make(seed: int) -> dict[str, Any]:
        modules = SafetyModules(dims, SafetyConfig.create_default(dims), num_types=7, num_levels=4)
        return modules.init_weights(torch.Generator().manual_seed(seed)).state_dict()

    first, again, other = make(1), make(1), make(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["llm_tokens_SD"], other["llm_tokens_SD"])


def test_parts_that_are_switched_off_do_not_exist(dims: BackboneDims) -> None:
    config = SafetyConfig.create_default(dims)
    tokens_only = SafetyModules(dims, replace(config, use_head=False), num_types=7, num_levels=4)
    assert list(tokens_only.state_dict()) == ["llm_tokens_SD"]
    head_only = SafetyModules(dims, replace(config, use_llm_tokens=False), num_types=7, num_levels=4)
    assert "llm_tokens_SD" not in head_only.state_dict()
    with pytest.raises(ValueError, match="switched off"):
        tokens_only.judge(torch.zeros(1, 1, 32), None, None, None)
    with pytest.raises(ValueError, match="switched off"):
        tokens_only.project_features([torch.zeros(1, 16, 24)])


@pytest.mark.parametrize("switches", [{}, {"use_head": False}, {"use_llm_tokens": False}, {"vision_layers": (-1, 1)}])
def test_tensor_names_are_a_contract(dims: BackboneDims, switches: dict[str, Any]) -> None:
    config = replace(SafetyConfig.create_default(dims), **switches)
    names = set(SafetyModules(dims, config, num_types=7, num_levels=4).state_dict())
    assert ("head_tokens_SD" in names) == config.use_head
    assert ("projector.mixer.scores" in names) == (config.vision_layers is not None)
    roots = {name.split(".")[0] for name in names}
    assert roots <= {"projector", "head", "head_tokens_SD", "llm_tokens_SD"}


def test_features_of_a_half_precision_tower_are_read_in_full_precision(dims: BackboneDims) -> None:
    modules = SafetyModules(dims, SafetyConfig.create_default(dims), num_types=7, num_levels=4).init_weights()
    assert modules.project_features([torch.zeros(1, 16, 24, dtype=torch.bfloat16)]).dtype == torch.float32


@pytest.mark.slow
def test_the_head_learns_what_neither_prompt_nor_picture_says_alone(dims: BackboneDims) -> None:
    """Two things and two intents: only the pair decides (an exclusive or), which the reference's head cannot see."""
    assert exclusive_or(dims, None, steps=400) > 0.95
    assert exclusive_or(dims, HeadConfig.create_reference(), steps=60) < 0.75


def exclusive_or(dims: BackboneDims, head: HeadConfig | None, *, steps: int) -> float:
    """Best accuracy over ten batches in a row while a head trains on batches that never repeat."""
    generator = torch.Generator().manual_seed(100)
    things, intents = torch.randn(2, 24, generator=generator), torch.randn(2, 32, generator=generator)
    config = SafetyConfig.create_default(dims)
    config = replace(
        config,
        projector=replace(config.projector, depth=1),
        head=head or replace(config.head, dropout=0.0),
    )
    modules = SafetyModules(dims, config, num_types=2, num_levels=2).init_weights(torch.Generator().manual_seed(0))
    optimiser = torch.optim.AdamW(modules.parameters(), lr=2e-3)
    right: list[float] = []
    best, size = 0.0, 64
    for _ in range(steps):
        thing_B, intent_B = torch.randint(0, 2, (2, size), generator=generator)
        layers_BNV = 0.3 * torch.randn(size, 16, 24, generator=generator)
        layers_BNV[torch.arange(size), torch.randint(0, 16, (size,), generator=generator)] += 3 * things[thing_B]
        prompt_BTD = 0.3 * torch.randn(size, 5, 32, generator=generator)
        prompt_BTD[:, 2] += intents[intent_B]
        output = modules.judge(prompt_BTD, None, modules.project_features([layers_BNV]), None)
        loss = F.cross_entropy(output.level_logits_BL, thing_B ^ intent_B)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        right.append((output.level_logits_BL.argmax(-1) == thing_B ^ intent_B).float().mean().item())
        best = max(best, sum(right[-10:]) / 10)
        if best > 0.97:
            break
    return best
