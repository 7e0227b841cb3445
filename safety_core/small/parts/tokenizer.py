"""Writes a byte-level BPE tokenizer from its description in GGUF, with an image placeholder, as transformers' files.

The files are written as JSON, not by the libraries, whose versions write them differently. GGUF only names the rule by
which text is split before the merges apply; only SmolLM's rule is known here.
"""

import json
from typing import Any

from safety_core.errors import PartsError
from safety_core.small.parts.gguf_file import GgufFile

IMAGE_TOKEN = "<image>"

_CONTROL = 3
"""GGUF's type of tokens that are not text."""

SYSTEM_PROMPT = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""System prompt of conversations without one; the language model was trained with it."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\\n" + SYSTEM_PROMPT + "<|im_end|>\\n' }}"
    "{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] is string %}"
    "{{ message['content'] }}"
    "{% else %}"
    "{% for part in message['content'] if part['type'] == 'image' %}{{ '" + IMAGE_TOKEN + "\\n' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{% endif %}"
    "{{ '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The language model's own template, which knows only text, with images before the text of a message."""


def build_tokenizer_files(source: GgufFile) -> dict[str, str]:
    """Build the content of the tokenizer's files, by their names.

    Raises:
        PartsError: the file describes another kind of tokenizer, or contains the image placeholder already.
    """
    kind = (source.get("tokenizer.ggml.model"), source.get("tokenizer.ggml.pre"))
    if kind != ("gpt2", "smollm"):
        raise PartsError(f"the tokenizer {kind} is unknown")
    tokens: list[str] = list(source.get("tokenizer.ggml.tokens"))
    if IMAGE_TOKEN in tokens:
        raise PartsError(f"{IMAGE_TOKEN} has a meaning already")
    return {
        "tokenizer.json": _format_compact(_describe_tokenizer(source, tokens)),
        "tokenizer_config.json": format_json(_describe_config(source, tokens)),
        "chat_template.jinja": CHAT_TEMPLATE,
    }


def format_json(data: object) -> str:
    """Format a settings file."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _describe_tokenizer(source: GgufFile, tokens: list[str]) -> dict[str, Any]:
    types = source.get("tokenizer.ggml.token_type")
    control = [(index, token) for index, token in enumerate(tokens) if types[index] == _CONTROL]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": token, **flags} for index, token in [*control, (len(tokens), IMAGE_TOKEN)]
        ],
        "normalizer": None,
        # Every digit is a word of its own.
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": list(source.get("tokenizer.ggml.merges")),
        },
    }


def _describe_config(source: GgufFile, tokens: list[str]) -> dict[str, Any]:
    def get_token(kind: str) -> str:
        index: int = source.get(f"tokenizer.ggml.{kind}_token_id")
        return tokens[index]

    named = {
        "bos_token": get_token("bos"),
        "eos_token": get_token("eos"),
        "pad_token": get_token("padding"),
    }
    return {
        **named,
        # The end of a text in pretraining; it is no unknown token, because bytes encode every text.
        "additional_special_tokens": sorted({get_token("unknown")} - {*named.values()}),
        "extra_special_tokens": {"image_token": IMAGE_TOKEN},
        "clean_up_tokenization_spaces": False,
        "model_max_length": source.get("llama.context_length"),
        "padding_side": "left",
        "processor_class": "LlavaProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _format_compact(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"
