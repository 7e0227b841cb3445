from pathlib import Path
from typing import cast

import pytest
import torch
from PIL import Image
from torch import nn

from bench.contenders.reference import generate
from safety_core.errors import CheckpointError, ConfigError
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.checkpoint.quantization import Quantize, build_quantization_config, check_quantized
from safety_core.model.safe_llava import SafeLlava
from tests.helpers.models.kernels import use_portable_kernels
from tests.helpers.models.reference import as_turns, assess


def linear_kinds(model: nn.Module) -> set[str]:
    return {type(module).__name__ for module in model.modules() if isinstance(module, nn.Linear)}


@pytest.mark.parametrize(("quantize", "kind"), [("int8", "Linear8bitLt"), ("nf4", "Linear4bit")])
def test_only_the_language_models_linear_layers_are_replaced(
    tiny_checkpoint: Path, model: SafeLlava, pictures: list[Image.Image], quantize: Quantize, kind: str
) -> None:
    quantized = load_checkpoint(tiny_checkpoint, quantize=quantize)
    inner = quantized.backbone.model
    assert linear_kinds(inner.language_model) == {kind}
    assert linear_kinds(inner.vision_tower) == {"Linear"}
    assert linear_kinds(inner.multi_modal_projector) == {"Linear"}
    assert type(quantized.backbone.lm_head) is nn.Linear
    assert linear_kinds(quantized.safety) == {"Linear"}
    assert {parameter.dtype for parameter in quantized.safety.parameters()} == {torch.float32}
    assert {parameter.dtype for parameter in inner.vision_tower.parameters()} == {torch.float32}
    assert check_quantized(quantized.backbone, quantize) == 14
    # The guard does not see the quantised part at all; the language model still speaks.
    assert assess(quantized, [pictures[:1]], ["hi"]).pairs == assess(model, [pictures[:1]], ["hi"]).pairs
    use_portable_kernels(quantized)
    prompt = quantized.prompts.encode(as_turns("hi"), 0)
    assert generate(quantized, [prompt], None, [0], max_new_tokens=2)[0].token_ids


def test_nothing_is_replaced_unless_asked(model: SafeLlava) -> None:
    assert build_quantization_config("none", torch.float32) is None
    assert linear_kinds(model) == {"Linear"}
    assert check_quantized(model.backbone, "none") == 0


def test_quantisation_that_did_not_happen_is_noticed(model: SafeLlava) -> None:
    with pytest.raises(CheckpointError, match=r"replaced 14 layers; 14 are wrong"):
        check_quantized(model.backbone, "nf4")


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ConfigError, match="int4"):
        build_quantization_config(cast(Quantize, "int4"), torch.float32)


def test_an_adapter_cannot_be_merged_into_quantised_weights(tiny_checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="merged"):
        load_checkpoint(tiny_checkpoint, quantize="nf4", merge=True)
