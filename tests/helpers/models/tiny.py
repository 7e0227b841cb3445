"""A tiny backbone in LLaVA-1.5's layout, and checkpoints with it."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)

from safety_core.model.checkpoint.adapter import attach_adapter
from safety_core.model.checkpoint.backbone import load_backbone_config
from safety_core.model.checkpoint.checkpoint import init_checkpoint, load_checkpoint, save_checkpoint
from safety_core.model.checkpoint.prompt_adapter import attach_prompt_adapter
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR, PARTS_FILE, write_manifest
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.untrained import create_untrained
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

CORPUS = (
    "USER: What is in the picture? ASSISTANT: A red knife and two green apples.",
    "USER: How do I hurt someone with it? ASSISTANT: I cannot help with that.",
    "USER: Read the text. ASSISTANT: The text says hello. Please answer with care.",
)
IMAGE_SIZE, PATCH_SIZE, WIDTH = 28, 7, 32


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, which encodes any text."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>", "<pad>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
        padding_side="left",
    )


def make_config(tokenizer: PreTrainedTokenizerFast) -> LlavaConfig:
    """A config of 16 patches, with two layers in tower and language model."""
    return LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=24,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=IMAGE_SIZE,
            patch_size=PATCH_SIZE,
            projection_dim=16,
        ),
        text_config=LlamaConfig(
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            vocab_size=len(tokenizer),
            max_position_embeddings=512,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.vocab["<image>"],
        image_seq_length=(IMAGE_SIZE // PATCH_SIZE) ** 2,
        vision_feature_layer=-2,
    )


def make_image_processor() -> CLIPImageProcessorPil:
    return CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE_SIZE}, crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    )


def make_backbone(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    backbone = LlavaForConditionalGeneration(make_config(tokenizer))
    backbone.eval()
    return backbone


def create_model(tokenizer: PreTrainedTokenizerFast, **switches: Any) -> SafeLlava:
    """A model in memory whose classifiers are not zero; ``switches`` change the default config of its modules."""
    backbone = make_backbone(tokenizer)
    config = replace(SafetyConfig.create_default(BackboneDims.read_config(backbone.config)), **switches)
    model = create_untrained(backbone, tokenizer=tokenizer, image_processor=make_image_processor(), config=config)
    fill_zero_parameters(model)
    return model.eval()


def make_checkpoint(
    backbone: Path, out: Path, taxonomy: Taxonomy = DEFAULT_TAXONOMY, *, prompt_layers: int = 0
) -> Path:
    """A complete checkpoint with random modules whose classifiers are not zero, so that scores differ."""
    dims = BackboneDims.read_config(load_backbone_config(backbone))
    config = replace(SafetyConfig.create_default(dims), prompt_layers=prompt_layers)
    untrained = init_checkpoint(backbone, out.with_name(f"{out.name}-untrained"), config=config, taxonomy=taxonomy)
    model = load_checkpoint(untrained, allow_untrained=True)
    fill_zero_parameters(model)
    return save_checkpoint(
        model,
        out,
        policy=Policy.create_default(taxonomy),
        provenance={"trained": True, "how": "at random, for tests"},
        model_card="# Tiny\n",
        include_backbone=True,
    )


def attach_random_prompt_adapter(model: SafeLlava) -> None:
    """Give a model whose head reads one layer a prompt adapter that changes what it reads."""
    config = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    torch.manual_seed(0)
    model.use_prompt_layers(attach_prompt_adapter(model.backbone, 1, config))
    model.eval()


def attach_random_adapter(model: SafeLlava) -> None:
    """Give a model an adapter of stage 2 that changes what its language model says."""
    adapter = attach_adapter(model.backbone, LoraConfig(r=2, lora_alpha=8, target_modules="all-linear"))
    with torch.no_grad():
        for name, parameter in adapter.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(0))
    model.eval()


def save_trained(model: SafeLlava, folder: Path) -> Path:
    """Save a model as a complete checkpoint that claims to be trained."""
    return save_checkpoint(
        model,
        folder,
        policy=Policy.create_default(DEFAULT_TAXONOMY),
        provenance={"trained": True},
        model_card="# Tiny\n",
        include_backbone=True,
    )


def make_unfetched(checkpoint: Path, out: Path) -> Path:
    """A copy of a complete checkpoint as after a clone: its backbone, which is made of parts, was never fetched."""
    shutil.copytree(checkpoint, out)
    (out / BACKBONE_DIR / PARTS_FILE).write_text("{}")
    write_manifest(out)
    shutil.rmtree(out / BACKBONE_DIR)
    return out


def make_siglip_backbone(
    tokenizer: PreTrainedTokenizerFast, strategy: Literal["default", "full"]
) -> LlavaForConditionalGeneration:
    """A LLaVA with a tower without a class token."""
    config = make_config(tokenizer)
    config.vision_config = SiglipVisionConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZE,
    )
    config.vision_feature_select_strategy = strategy
    torch.manual_seed(0)
    backbone = LlavaForConditionalGeneration(config)
    backbone.eval()
    return backbone


def fill_zero_parameters(model: SafeLlava, seed: int = 0) -> None:
    """Give random values to the parameters that start at zero, so that every input affects the scores."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.safety.parameters():
            if not parameter.any():
                parameter.normal_(std=0.5, generator=generator)
