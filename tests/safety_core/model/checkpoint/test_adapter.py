from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.errors import ConfigError, TensorKeyError, TensorShapeError
from safety_core.model.checkpoint.adapter import (
    WEIGHTS_FILE,
    attach_adapter,
    get_adapter,
    load_adapter,
    merge_adapter,
    save_adapter,
)
from tests.helpers.models.tiny import make_backbone

IDS = torch.tensor([[0, 5, 6, 7]])


def lora() -> LoraConfig:
    return LoraConfig(r=2, lora_alpha=4, target_modules="all-linear")


def adapted(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    backbone = make_backbone(tokenizer)
    adapter = attach_adapter(backbone, lora())
    with torch.no_grad():
        for name, parameter in adapter.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(0))
    return backbone


@torch.no_grad()
def logits(backbone: LlavaForConditionalGeneration) -> torch.Tensor:
    result: torch.Tensor = backbone(input_ids=IDS).logits
    return result


@pytest.fixture
def saved(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    backbone = adapted(tokenizer)
    adapter = get_adapter(backbone)
    assert adapter is not None
    save_adapter(adapter, tmp_path / "adapter", torch.float32)
    return tmp_path / "adapter"


def test_an_adapter_changes_the_language_model_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    plain, backbone = make_backbone(tokenizer), adapted(tokenizer)
    assert not torch.allclose(logits(plain), logits(backbone))
    names = [name for name, _ in backbone.named_parameters() if "lora_" in name]
    assert len(names) == 2 * 14
    assert all(name.startswith("model.language_model.") for name in names)


def test_saved_and_loaded_merged_or_not_it_says_the_same(saved: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    expected = logits(adapted(tokenizer))
    backbone = make_backbone(tokenizer)
    load_adapter(backbone, saved)
    torch.testing.assert_close(logits(backbone), expected)
    merge_adapter(backbone)
    assert get_adapter(backbone) is None
    torch.testing.assert_close(logits(backbone), expected, atol=1e-5, rtol=1e-5)


def test_loaded_to_train_on_or_to_serve(saved: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    def learns(trainable: bool) -> set[bool]:
        adapter = load_adapter(make_backbone(tokenizer), saved, trainable=trainable)
        return {parameter.requires_grad for name, parameter in adapter.named_parameters() if "lora_" in name}

    assert learns(True) == {True}
    assert learns(False) == {False}


def test_merging_nothing_changes_nothing(tokenizer: PreTrainedTokenizerFast) -> None:
    backbone = make_backbone(tokenizer)
    before = backbone.model.language_model
    merge_adapter(backbone)
    assert backbone.model.language_model is before


def test_only_one_adapter_at_a_time(tokenizer: PreTrainedTokenizerFast) -> None:
    backbone = adapted(tokenizer)
    assert isinstance(get_adapter(backbone), PeftModel)
    with pytest.raises(ConfigError, match="already has an adapter"):
        attach_adapter(backbone, lora())


@pytest.mark.parametrize("damage", ["missing", "surplus", "shape"])
def test_tensors_must_fit_the_config(saved: Path, tokenizer: PreTrainedTokenizerFast, damage: str) -> None:
    tensors = load_file(saved / WEIGHTS_FILE)
    name = next(iter(tensors))
    if damage == "missing":
        del tensors[name]
    elif damage == "surplus":
        tensors["stowaway"] = torch.zeros(1)
    else:
        tensors[name] = torch.zeros(1, 1)
    save_file(tensors, saved / WEIGHTS_FILE)
    with pytest.raises(TensorShapeError if damage == "shape" else TensorKeyError):
        load_adapter(make_backbone(tokenizer), saved)
