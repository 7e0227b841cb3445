"""LLaVA-1.5 as the hub publishes it, in miniature: its true config values and names, file layout and tensor names.

Only widths, depths and the words of the vocabulary are smaller; everything that code looks up is as published.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers import LlavaConfig, LlavaForConditionalGeneration

LLAVA_ID = "llava-hf/llava-1.5-7b-hf"
VICUNA_ID = "lmsys/vicuna-7b-v1.5"
COMMIT = "b234b804b114d9e37bb655e11cbbb5f5e971b7a9"

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}"
    "{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)

CONFIG: dict[str, Any] = {
    "architectures": ["LlavaForConditionalGeneration"],
    "ignore_index": -100,
    "image_seq_length": 576,
    "image_token_index": 32000,
    "model_type": "llava",
    "pad_token_id": 32001,
    "projector_hidden_act": "gelu",
    "text_config": {
        "_name_or_path": VICUNA_ID,
        "architectures": ["LlamaForCausalLM"],
        "max_position_embeddings": 4096,
        "model_type": "llama",
        "rms_norm_eps": 1e-05,
        "torch_dtype": "float16",
        "vocab_size": 32064,
    },
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "transformers_version": "4.36.0.dev0",
    "vision_config": {
        "hidden_size": 1024,
        "image_size": 336,
        "intermediate_size": 4096,
        "model_type": "clip_vision_model",
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "patch_size": 14,
        "projection_dim": 768,
        "vocab_size": 32000,
    },
    "vision_feature_layer": -2,
    "vision_feature_select_strategy": "default",
    "vocab_size": 32064,
}
"""The published config.json."""

SMALLER_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
}
SMALLER_VISION = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 3}

VICUNA_CONFIG = {
    "_name_or_path": "vicuna-7b-v1.5",
    "architectures": ["LlamaForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 11008,
    "max_position_embeddings": 4096,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 32,
    "pad_token_id": 0,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "transformers_version": "4.31.0",
    "use_cache": True,
    "vocab_size": 32000,
}
"""The published config.json of the language model: a vocabulary without the picture's and the padding's tokens."""


def write_llava15(folder: Path) -> Path:
    """Write the files of ``llava-hf/llava-1.5-7b-hf``, its weights random, small and in three shards."""
    folder.mkdir(parents=True)
    config = CONFIG | {
        "text_config": CONFIG["text_config"] | SMALLER_TEXT,
        "vision_config": CONFIG["vision_config"] | SMALLER_VISION,
    }
    _write_weights(config, folder)
    _write(folder / "config.json", config)
    _write(
        folder / "generation_config.json",
        {
            "_from_model_config": True,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 32001,
            "transformers_version": "4.36.0.dev0",
        },
    )
    _write(
        folder / "preprocessor_config.json",
        {
            "crop_size": {"height": 336, "width": 336},
            "do_center_crop": True,
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_processor_type": "CLIPImageProcessor",
            "image_std": [0.26862954, 0.26130258, 0.27577711],
            "processor_class": "LlavaProcessor",
            "resample": 3,
            "rescale_factor": 0.00392156862745098,
            "size": {"shortest_edge": 336},
        },
    )
    _write(
        folder / "processor_config.json",
        {
            "image_token": "<image>",
            "num_additional_image_tokens": 1,
            "patch_size": 14,
            "processor_class": "LlavaProcessor",
            "vision_feature_select_strategy": "default",
        },
    )
    _write(folder / "chat_template.json", {"chat_template": CHAT_TEMPLATE})
    _write_tokenizer(folder)
    (folder / "README.md").write_text("# LLaVA\n", encoding="utf-8")
    return folder


def _write_weights(config: Mapping[str, Any], folder: Path) -> None:
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(LlavaConfig(**json.loads(json.dumps(config)))).half()
    model.save_pretrained(folder / "new")
    new = load_file(folder / "new" / "model.safetensors")
    for file in (folder / "new").iterdir():
        file.unlink()
    (folder / "new").rmdir()
    tower = re.compile(r"^vision_tower\.(?!vision_model\.)")
    published = {tower.sub("vision_tower.vision_model.", name): tensor for name, tensor in new.items()}
    starts = {".".join(name.split(".")[:2]) for name in published}
    assert starts == {
        *("language_model.model", "language_model.lm_head", "vision_tower.vision_model"),
        *("multi_modal_projector.linear_1", "multi_modal_projector.linear_2"),
    }
    names = sorted(published)
    places = {name: f"model-{1 + 3 * index // len(names):05}-of-00003.safetensors" for index, name in enumerate(names)}
    for shard in sorted(set(places.values())):
        part = {name: published[name].contiguous() for name in names if places[name] == shard}
        save_file(part, folder / shard, metadata={"format": "pt"})
    size = sum(tensor.nbytes for tensor in published.values())
    _write(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": places})


def _write_tokenizer(folder: Path) -> None:
    """A SentencePiece-like vocabulary of 32,000 as Llama's, and the two tokens that LLaVA adds."""
    letters = ["\u2581", *map(chr, range(33, 127))]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    pieces += [f"\u2581filler{index}" for index in range(32000 - len(pieces))]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    core = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    core.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    special = ("<unk>", "<s>", "</s>", "<image>", "<pad>")
    core.add_special_tokens([AddedToken(word, normalized=False) for word in special])
    assert (core.token_to_id("<image>"), core.token_to_id("<pad>")) == (32000, 32001)
    core.save(str(folder / "tokenizer.json"))
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    added = {"0": "<unk>", "1": "<s>", "2": "</s>", "32000": "<image>", "32001": "<pad>"}
    _write(folder / "added_tokens.json", {"<image>": 32000, "<pad>": 32001})
    names = {"bos_token": "<s>", "eos_token": "</s>", "image_token": "<image>", "pad_token": "<pad>"}
    _write(folder / "special_tokens_map.json", names | {"unk_token": "<unk>"})
    _write(
        folder / "tokenizer_config.json",
        names
        | {
            "add_bos_token": True,
            "add_eos_token": False,
            "add_prefix_space": None,
            "added_tokens_decoder": {index: flags | {"content": word} for index, word in added.items()},
            "clean_up_tokenization_spaces": False,
            "extra_special_tokens": {"image_token": "<image>"},
            "legacy": False,
            "model_max_length": 1000000000000000019884624838656,
            "padding_side": "left",
            "processor_class": "LlavaProcessor",
            "sp_model_kwargs": {},
            "tokenizer_class": "LlamaTokenizer",
            "trust_remote_code": False,
            "unk_token": "<unk>",
            "use_default_system_prompt": False,
        },
    )


def _write(file: Path, data: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(data, indent=2), encoding="utf-8")
