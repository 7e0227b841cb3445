"""A LLaVA without what only generation needs: what it loads, and that the head judges the same."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.errors import ConfigError, JudgeOnlyError, TensorKeyError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.model.backbones.judging_llava import JudgingLlava
from safety_core.model.checkpoint.backbone import load_backbone
from safety_core.model.checkpoint.checkpoint import load_checkpoint, save_checkpoint
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.images.encoding import encode_png

TURNS = (Turn(role="user", text="What is in the picture?"),)


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def judge(guard: Guard) -> object:
    picture = decode_image(encode_png(size=(40, 40)), fill=guard.info.pad_colour)
    return guard.assess(GuardRequest(images=(picture,), turns=TURNS)).pair


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_it_has_so_many_layers_and_no_output_layer(tiny_backbone: Path, layers: int) -> None:
    whole, short = load_backbone(tiny_backbone), load_backbone(tiny_backbone, text_layers=layers)
    assert isinstance(short.model, JudgingLlava)
    assert not isinstance(whole.model, JudgingLlava)
    assert len(short.model.model.language_model.layers) == layers
    assert count_parameters(short.model.lm_head) == 0
    torch.testing.assert_close(
        short.model.get_input_embeddings().weight, whole.model.get_input_embeddings().weight, rtol=0, atol=0
    )


@pytest.mark.parametrize("name", ["tiny_checkpoint", "reading_checkpoint"])
def test_a_guard_that_only_judges_reaches_the_same_verdict(name: str, request: pytest.FixtureRequest) -> None:
    checkpoint: Path = request.getfixturevalue(name)
    whole, judging = load_guard(checkpoint, device="cpu"), load_guard(checkpoint, device="cpu", judge_only=True)
    assert judge(judging) == judge(whole)
    assert judging.fingerprint == whole.fingerprint
    assert judging.check_canary() is None
    assert whole.info.generates
    assert not judging.info.generates
    saved = count_parameters(whole.model.backbone) - count_parameters(judging.model.backbone)
    read = judging.model.config.prompt_layers
    assert saved >= count_parameters(whole.model.backbone.model.language_model.layers[read:])
    assert judging.packed is None


def test_layers_with_a_prompt_adapter_are_adapted_in_place(prompt_adapted_checkpoint: Path) -> None:
    whole = load_guard(prompt_adapted_checkpoint, device="cpu")
    judging = load_guard(prompt_adapted_checkpoint, device="cpu", judge_only=True)
    assert judge(judging) == judge(whole)
    own = judging.model.prompt_layers
    assert own is not None
    held = {id(parameter) for parameter in judging.model.backbone.parameters()}
    assert all(id(parameter) in held for parameter in own.parameters()), "the layers exist once"


def test_it_answers_nothing(tiny_checkpoint: Path) -> None:
    guard = load_guard(tiny_checkpoint, device="cpu", judge_only=True)
    with pytest.raises(JudgeOnlyError):
        guard.answer(ChatRequest(turns=TURNS))
    generator = guard.create_generator()
    assert generator.running == 0
    assert generator.step() == []


def test_a_tensor_that_belongs_to_no_layer_is_still_surplus(tiny_backbone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backbone"
    shutil.copytree(tiny_backbone, folder)
    (shard,) = folder.glob("*.safetensors")
    tensors = load_file(shard)
    surplus = dict(tensors)
    surplus["language_model.model.layers.1.self_attn.extra.weight"] = torch.zeros(2)
    save_file(surplus, shard, metadata={"format": "pt"})
    load_backbone(folder, text_layers=1)
    surplus["language_model.model.layers.0.self_attn.extra.weight"] = torch.zeros(2)
    save_file(surplus, shard, metadata={"format": "pt"})
    with pytest.raises(TensorKeyError, match="surplus"):
        load_backbone(folder, text_layers=1)


def test_it_can_neither_be_trained_nor_saved(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="adapter"):
        load_checkpoint(tiny_checkpoint, judge_only=True, train_prompt_adapter=True)
    model = load_checkpoint(tiny_checkpoint, judge_only=True)
    with pytest.raises(ConfigError, match="only judges"):
        save_checkpoint(
            model,
            tmp_path / "out",
            policy=Policy.create_default(DEFAULT_TAXONOMY),
            provenance={"trained": True},
            model_card="",
        )
