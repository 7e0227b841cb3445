"""A LLaVA without what only generation needs: the language model's later layers, and its output layer.

The safety head reads texts after the language model's first k layers, so a guard that generates nothing needs no more
of the language model than its embeddings and these layers.
"""

import copy
from typing import Any

from torch import nn
from transformers import LlavaConfig, LlavaForConditionalGeneration


class JudgingLlava(LlavaForConditionalGeneration):
    """Takes its weights from the files of a whole LLaVA, but leaves out what it has no module for.

    Args:
        config: the config that :func:`shorten_config` returns.
    """

    _tied_weights_keys = {}  # noqa: RUF012 -- overrides the library's attribute, which has the same type

    def __init__(self, config: LlavaConfig) -> None:
        super().__init__(config)
        self.lm_head = nn.Identity()
        text: Any = config.text_config
        left_out = "|".join(str(layer) for layer in range(text.num_hidden_layers, text.num_file_layers))
        ignored = [r"^(?:language_model\.)?lm_head\."]
        if left_out:
            ignored.append(rf"language_model\.(?:model\.)?layers\.(?:{left_out})\.")
        self._keys_to_ignore_on_load_unexpected = {*(self._keys_to_ignore_on_load_unexpected or ()), *ignored}


def shorten_config(config: LlavaConfig, layers: int) -> LlavaConfig:
    """Copy a config, with the first ``layers`` layers of its language model."""
    short = copy.deepcopy(config)
    text: Any = short.text_config
    text.num_file_layers = text.num_hidden_layers
    text.num_hidden_layers = layers
    if getattr(text, "layer_types", None) is not None:  # of language models with several kinds of attention
        text.layer_types = text.layer_types[:layers]
    return short
