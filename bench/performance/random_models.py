"""A guarded LLaVA of any size with random weights, for figures that depend only on shapes."""

from dataclasses import dataclass

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerBase,
)

from bench.paths import CHECKPOINT
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.untrained import create_untrained


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a LLaVA."""

    vision_width: int
    vision_depth: int
    vision_heads: int
    image_size: int
    llm_width: int
    llm_inner: int
    llm_depth: int
    llm_heads: int
    safety_tokens: int
    vocabulary: int = 32_064
    context: int = 4096


SHAPES = {
    # llava-hf/llava-1.5-7b-hf: CLIP ViT-L/14 at 336 pixels before Vicuna-7B; 64 safety tokens as in the paper.
    "7b": Shape(
        vision_width=1024, vision_depth=24, vision_heads=16, image_size=336,
        llm_width=4096, llm_inner=11_008, llm_depth=32, llm_heads=32, safety_tokens=64,
    ),
    "tiny": Shape(
        vision_width=64, vision_depth=2, vision_heads=4, image_size=56,
        llm_width=64, llm_inner=128, llm_depth=2, llm_heads=4, safety_tokens=4, vocabulary=2048, context=1024,
    ),
}  # fmt: skip
"""Values of the option ``--shapes`` of ``python -m bench gpu``."""


def create_random_model(shape: Shape, device: torch.device, dtype: torch.dtype) -> SafeLlava:
    """A SafeLlava of that shape; its words are the nano's, whose ids every vocabulary here has."""
    tokenizer = load_checkpoint(CHECKPOINT).tokenizer
    config = _create_config(shape, tokenizer)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            backbone = LlavaForConditionalGeneration(config).eval()
    finally:
        torch.set_default_dtype(before)
    size = {"height": shape.image_size, "width": shape.image_size}
    dims = BackboneDims.read_config(backbone.config)
    plain = SafetyConfig.create_default(dims)
    model = create_untrained(
        backbone,
        tokenizer=tokenizer,
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": shape.image_size}, crop_size=size),
        config=SafetyConfig(num_safety_tokens=shape.safety_tokens, projector=plain.projector, head=plain.head),
    )
    model.safety.to(device)
    return model.eval()


def _create_config(shape: Shape, tokenizer: PreTrainedTokenizerBase) -> LlavaConfig:
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    assert isinstance(image_id, int)
    return LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=shape.vision_width,
            intermediate_size=4 * shape.vision_width,
            num_hidden_layers=shape.vision_depth,
            num_attention_heads=shape.vision_heads,
            image_size=shape.image_size,
            patch_size=14,
        ),
        text_config=LlamaConfig(
            hidden_size=shape.llm_width,
            intermediate_size=shape.llm_inner,
            num_hidden_layers=shape.llm_depth,
            num_attention_heads=shape.llm_heads,
            num_key_value_heads=shape.llm_heads,
            vocab_size=shape.vocabulary,
            max_position_embeddings=shape.context,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=image_id,
        image_seq_length=(shape.image_size // 14) ** 2,
        vision_feature_layer=-2,
    )
