"""Converts a Llama in GGUF to the language model of a LLaVA: 16-bit weights and transformers' configuration.

The result does not depend on the machine: every operation is exact or correctly rounded.
Shapes: R rows of a matrix · D width · H heads · d width of a head.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safety_core.errors import PartsError
from safety_core.model.checkpoint.tensor_files import convert_to_storage
from safety_core.small.parts.gguf_file import GgufFile

ROW_MULTIPLE = 64
"""The number of rows of the embeddings is a multiple of this, which suits matrix products."""

_PREFIX = "language_model.model."

_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Names of a layer's weights in GGUF and in transformers."""

_SMALLEST = 2.0**-24
"""Smallest positive number of 16 bits; all others are multiples of it."""


def build_text_config(source: GgufFile, rows: int) -> dict[str, Any]:
    """Build the ``text_config`` of a LLaVA.

    Args:
        source: a Llama whose output matrix is that of its embeddings.
        rows: rows of the embeddings.

    Raises:
        PartsError: the file is not of such a model.
    """
    if source.get("general.architecture") != "llama" or "output.weight" in source.names:
        raise PartsError("a Llama with tied embeddings is needed")
    heads = source.get("llama.attention.head_count")
    return {
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": source.get("llama.embedding_length"),
        "intermediate_size": source.get("llama.feed_forward_length"),
        "num_hidden_layers": source.get("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": source.get("llama.attention.head_count_kv"),
        "head_dim": source.get("llama.embedding_length") // heads,
        "max_position_embeddings": source.get("llama.context_length"),
        # Stored in 32 bit, e.g. as 9.999999747378752e-06.
        "rms_norm_eps": float(f"{source.get('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_parameters": {"rope_type": "default", "rope_theta": source.get("llama.rope.freq_base")},
        "bos_token_id": source.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": source.get("tokenizer.ggml.eos_token_id"),
        "pad_token_id": source.get("tokenizer.ggml.padding_token_id"),
        "tie_word_embeddings": True,
        "vocab_size": rows,
    }


def count_embedding_rows(tokens: int) -> int:
    """Count the rows of the embeddings of a vocabulary."""
    return -(-tokens // ROW_MULTIPLE) * ROW_MULTIPLE


def convert_language_model(source: GgufFile, rows: int) -> dict[str, Tensor]:
    """Convert the weights to 16 bit, by their names in a LLaVA's files.

    Args:
        source: the language model.
        rows: rows of the embeddings; new rows are the mean of the model's own.

    Raises:
        PartsError: a tensor is missing or surplus.
    """
    heads = {
        "attn_q": source.get("llama.attention.head_count"),
        "attn_k": source.get("llama.attention.head_count_kv"),
    }
    names = {"token_embd.weight": "embed_tokens.weight", "output_norm.weight": "norm.weight"}
    for layer in range(source.get("llama.block_count")):
        for theirs, ours in _LAYER_NAMES.items():
            names[f"blk.{layer}.{theirs}.weight"] = f"layers.{layer}.{ours}.weight"
    if surplus := sorted(source.names - set(names)):
        raise PartsError(f"the language model has {len(surplus)} unknown tensors {surplus[:4]}")
    tensors: dict[str, Tensor] = {}
    for theirs, ours in names.items():
        weight = source.read_tensor(theirs)
        kind = theirs.split(".")[-2]
        if kind in heads:
            weight = _separate_halves(weight, heads[kind])
        tensors |= convert_to_storage({_PREFIX + ours: torch.from_numpy(weight)}, torch.float16)
    embeddings = _PREFIX + "embed_tokens.weight"
    tensors[embeddings] = _append_rows(tensors[embeddings], rows)
    return tensors


def list_tokens(source: GgufFile) -> Mapping[str, int]:
    """List the vocabulary with its ids."""
    return {token: index for index, token in enumerate(source.get("tokenizer.ggml.tokens"))}


def _separate_halves(weight_RD: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Reorder the rows of each head: GGUF alternates between the halves that rotate together, transformers does not."""
    rows, width = weight_RD.shape
    pairs_HhtD = weight_RD.reshape(heads, rows // heads // 2, 2, width)
    return np.ascontiguousarray(pairs_HhtD.swapaxes(1, 2).reshape(rows, width))


def _append_rows(weight_RD: Tensor, rows: int) -> Tensor:
    """Append copies of the mean of all rows; the sum is one of integers, so its order does not matter."""
    units_RD = (weight_RD.double() / _SMALLEST).to(torch.int64)
    mean_D = (units_RD.sum(0).double() / len(weight_RD) * _SMALLEST).half()
    return torch.cat([weight_RD, mean_D.expand(rows - len(weight_RD), -1)])
