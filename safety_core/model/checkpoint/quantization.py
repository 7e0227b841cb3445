"""Quantises the language model with bitsandbytes; vision tower, projectors and safety modules stay unquantised."""

import logging
from typing import Literal, get_args

import torch
from torch import nn
from transformers import BitsAndBytesConfig, LlavaForConditionalGeneration

from safety_core.errors import CheckpointError, ConfigError

Quantize = Literal["none", "int8", "nf4"]

FULL_PRECISION = ("model.vision_tower", "model.multi_modal_projector", "lm_head")
"""Full paths of the modules that bitsandbytes must skip; a partial path has no effect."""

_REPLACEMENT = {"int8": "Linear8bitLt", "nf4": "Linear4bit"}


def build_quantization_config(quantize: Quantize, compute_dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """Build the ``quantization_config`` for ``from_pretrained``; None without quantisation.

    Raises:
        ConfigError: the kind is unknown.
    """
    if quantize not in get_args(Quantize):
        raise ConfigError(f"quantize: must be one of {list(get_args(Quantize))}, got {quantize!r}")
    skipped = list(FULL_PRECISION)
    if quantize == "int8":
        # bitsandbytes logs a warning at every product of 32-bit activations, which it rounds first.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skipped)
    if quantize == "nf4":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=compute_dtype,
            llm_int8_skip_modules=skipped,
        )
    return None


def check_quantized(backbone: LlavaForConditionalGeneration, quantize: Quantize) -> int:
    """Check that exactly the language model's linear layers were replaced; returns their number.

    Raises:
        CheckpointError: a layer of the language model was not replaced, or another layer was.
    """
    expected = _REPLACEMENT.get(quantize, "Linear")
    wrong, replaced = [], 0
    for name, module in backbone.named_modules():
        if not isinstance(module, nn.Linear):
            continue
        in_language_model = name.startswith("model.language_model.")
        kind = type(module).__name__
        # Elsewhere, subclasses of Linear that the libraries define are allowed: SigLIP's pooling has one.
        if kind != expected if in_language_model else kind in _REPLACEMENT.values():
            wrong.append(f"{name} ({kind})")
        replaced += in_language_model and quantize != "none"
    if wrong or (quantize != "none" and not replaced):
        raise CheckpointError(
            f"quantisation to {quantize} replaced {replaced} layers; {len(wrong)} are wrong: {wrong[:4]}"
        )
    return replaced
