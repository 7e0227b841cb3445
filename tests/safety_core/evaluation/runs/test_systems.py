from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig

from safety_core.errors import ConfigError, UntrainedError
from safety_core.evaluation.runs.systems import SystemSpec, list_standard_systems, load_system
from safety_core.model.checkpoint.adapter import attach_adapter, get_adapter
from safety_core.model.checkpoint.checkpoint import init_checkpoint, load_checkpoint, save_checkpoint
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY


def test_standard_rows_follow_from_the_checkpoints_at_hand() -> None:
    only = list_standard_systems(Path("both"))
    every = list_standard_systems(Path("both"), stage1=Path("one"), first_token=Path("ref"))
    assert [row.name for row in only] == ["bare", "shipped"]
    assert [row.name for row in every] == ["bare", "head_only", "tokens_only", "stage1", "shipped", "first_token"]
    bare, head_only, tokens_only, stage1, shipped, first_token = every
    assert not bare.is_guarded
    assert (head_only.use_head, head_only.use_llm_tokens, head_only.use_hints) == (True, False, True)
    assert (tokens_only.use_head, tokens_only.use_llm_tokens, tokens_only.use_hints) == (False, True, False)
    assert (stage1.use_head, stage1.use_llm_tokens, stage1.use_adapter) == (True, True, False)
    assert (shipped.use_adapter, shipped.against[-1]) == (True, "first_token")
    assert first_token.checkpoint == Path("ref")
    assert only[-1].against == ("bare",)


def test_a_row_without_the_adapter_is_the_backbone_untouched(tiny_checkpoint: Path, tmp_path: Path) -> None:
    model = load_checkpoint(tiny_checkpoint)
    plain = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    adapter = attach_adapter(model.backbone, LoraConfig(r=2, target_modules=["q_proj"]))
    with torch.no_grad():
        for name, parameter in adapter.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.5)
    tuned = save_checkpoint(
        model,
        tmp_path / "tuned",
        policy=Policy.create_default(DEFAULT_TAXONOMY),
        provenance={"trained": True},
        model_card="#",
        include_backbone=True,
    )
    without = load_system(SystemSpec(name="x", checkpoint=tuned, use_adapter=False)).model
    with_it = load_system(SystemSpec(name="x", checkpoint=tuned)).model
    assert get_adapter(without.backbone) is None
    loaded = without.backbone.state_dict()
    assert loaded.keys() == plain.keys()
    assert all(torch.equal(loaded[name], plain[name]) for name in plain)
    changed = with_it.backbone.state_dict()
    assert any(not torch.equal(changed[name], plain[name]) for name in plain)


def test_untrained_modules_are_allowed_only_where_they_take_no_part(tiny_backbone: Path, tmp_path: Path) -> None:
    untrained = init_checkpoint(tiny_backbone, tmp_path / "new")
    load_system(SystemSpec(name="bare", checkpoint=untrained, use_head=False, use_llm_tokens=False))
    with pytest.raises(UntrainedError):
        load_system(SystemSpec(name="tokens", checkpoint=untrained, use_head=False))


def test_a_row_may_bring_its_own_policy(tiny_checkpoint: Path, mixed_policy: Path) -> None:
    own = load_system(SystemSpec(name="x", checkpoint=tiny_checkpoint))
    brought = load_system(SystemSpec(name="x", checkpoint=tiny_checkpoint, policy=mixed_policy))
    assert own.policy == Policy.create_default(DEFAULT_TAXONOMY)
    assert brought.policy == load_policy(mixed_policy, DEFAULT_TAXONOMY) != own.policy
    assert own.sha256 == brought.sha256


def test_a_head_that_does_not_exist_cannot_take_part(
    tiny_checkpoint: Path, tiny_backbone: Path, tmp_path: Path
) -> None:
    config = replace(load_checkpoint(tiny_checkpoint).config, use_head=False)
    headless = init_checkpoint(tiny_backbone, tmp_path / "headless", config=config)
    model = load_checkpoint(headless, allow_untrained=True)
    trained = save_checkpoint(
        model,
        tmp_path / "t",
        policy=Policy.create_default(DEFAULT_TAXONOMY),
        provenance={"trained": True},
        model_card="#",
    )
    with pytest.raises(ConfigError, match="no head"):
        load_system(SystemSpec(name="x", checkpoint=trained))


def test_pictures_are_read_where_the_checkpoint_says_so_and_the_row_and_its_head_take_part(
    tiny_backbone: Path, tmp_path: Path
) -> None:
    reading = init_checkpoint(tiny_backbone, tmp_path / "reading", reader="rapidocr")
    model = load_checkpoint(reading, allow_untrained=True)
    trained = save_checkpoint(
        model,
        tmp_path / "trained",
        policy=Policy.create_default(DEFAULT_TAXONOMY),
        provenance={"trained": True},
        model_card="#",
        include_backbone=True,
    )
    assert load_system(SystemSpec(name="x", checkpoint=trained)).reader == "rapidocr"
    assert load_system(SystemSpec(name="x", checkpoint=trained, reads_pictures=False)).reader is None
    assert load_system(SystemSpec(name="x", checkpoint=trained, use_head=False)).reader is None
