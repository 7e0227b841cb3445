"""Quantised language models through bitsandbytes; everything that sees or judges pictures stays in full precision."""

import logging
from typing import Literal, get_args

import torch
from torch import nn
from transformers import BitsAndBytesConfig, LlavaForConditionalGeneration

from safety_core.errors import CheckpointError, ConfigError

Quantize = Literal["none", "int8", "nf4"]

FULL_PRECISION = ("model.vision_tower", "model.multi_modal_projector", "lm_head")
"""Module paths that bitsandbytes must skip; it matches full paths and silently skips nothing otherwise."""

_REPLACEMENT = {"int8": "Linear8bitLt", "nf4": "Linear4bit"}


def build_quantization_config(quantize: Quantize, compute_dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """The ``quantization_config`` for ``from_pretrained``; None where nothing is quantised.

    Raises:
        ConfigError: the kind is unknown.
    """
    if quantize not in get_args(Quantize):
        raise ConfigError(f"quantize: one of {list(get_args(Quantize))} is needed, got {quantize!r}")
    skipped = list(FULL_PRECISION)
    if quantize == "int8":
        # bitsandbytes warns at every matrix product that it rounds 32-bit activations before quantising them.
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
    """Make sure that exactly the language model's linear layers were replaced; returns how many were.

    Raises:
        CheckpointError: a layer that should have been replaced was not, or the other way round.
    """
    wanted = _REPLACEMENT.get(quantize, "Linear")
    wrong, replaced = [], 0
    for name, module in backbone.named_modules():
        if not isinstance(module, nn.Linear):
            continue
        inside = name.startswith("model.language_model.")
        kind = type(module).__name__
        # Outside of the language model any layer of the libraries' own will do: SigLIP's pooling has one.
        if kind != wanted if inside else kind in _REPLACEMENT.values():
            wrong.append(f"{name} ({kind})")
        replaced += inside and quantize != "none"
    if wrong or (quantize != "none" and not replaced):
        raise CheckpointError(f"quantisation to {quantize} replaced {replaced} layers; wrong are {wrong[:4]}")
    return replaced
