"""A tiny LLaVA over an EfficientNet-Lite, with ChatML's format and a map of 9 x 9, as safevlm-small has."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, ViTImageProcessorPil

from safety_core.model.backbones.efficientnet_lite_config import EfficientNetLiteConfig
from safety_core.model.backbones.registration import register_towers
from safety_core.model.checkpoint.backbone import Backbone, save_backbone
from safety_core.model.checkpoint.checkpoint import load_checkpoint, save_checkpoint
from safety_core.policy.policy import Policy
from safety_core.training.starting_checkpoint import create_fresh_checkpoint
from tests.helpers.models.chat_templates import CHATML, make_chatml_tokenizer
from tests.helpers.models.tiny import fill_zero_parameters

IMAGE_SIZE, GRID, VISION_WIDTH, CLASSES = 260, 9, 96, 10


def make_tower_config(image_size: int = IMAGE_SIZE) -> EfficientNetLiteConfig:
    """The narrowest and shallowest tower that the scaling rules permit."""
    return EfficientNetLiteConfig(
        image_size=image_size,
        width_coefficient=0.1,
        depth_coefficient=0.3,
        stem_channels=8,
        hidden_size=VISION_WIDTH,
        num_classes=CLASSES,
    )


def make_convolutional_backbone() -> Backbone:
    """A LLaVA with random weights."""
    register_towers()
    tokenizer = make_chatml_tokenizer()
    vision = make_tower_config()
    config = LlavaConfig(
        vision_config=vision,
        text_config=LlamaConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=len(tokenizer),
            max_position_embeddings=512,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            tie_word_embeddings=True,
        ),
        image_token_index=tokenizer.get_vocab()["<image>"],
        image_seq_length=GRID**2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    model.eval()
    processor = ViTImageProcessorPil(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}, image_mean=[127 / 255] * 3, image_std=[128 / 255] * 3
    )
    return Backbone(model=model, tokenizer=tokenizer, image_processor=processor)


def write_convolutional_backbone(folder: Path) -> Path:
    """Write the backbone in Hugging Face layout, with its chat template."""
    save_backbone(make_convolutional_backbone(), folder)
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    return folder


def make_convolutional_checkpoint(folder: Path) -> Path:
    """A complete checkpoint with random modules, which claims to be trained."""
    backbone = write_convolutional_backbone(folder / "backbone")
    untrained = create_fresh_checkpoint(str(backbone), folder / "untrained")
    model = load_checkpoint(untrained, allow_untrained=True)
    fill_zero_parameters(model)
    return save_checkpoint(
        model,
        folder / "convolutional",
        policy=Policy.create_default(model.taxonomy),
        provenance={"trained": True, "how": "at random, for tests"},
        model_card="# Tiny\n",
        include_backbone=True,
    )
