"""Loads a backbone without safety modules, with the prompt format of the checkpoints that are made of it."""

from pathlib import Path

import torch

from safety_core.model.checkpoint.backbone import find_backbone, load_backbone
from safety_core.model.checkpoint.bare_model import create_bare_model
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.starting_checkpoint import choose_template


def load_bare_model(folder: Path, *, device: str | torch.device = "cpu") -> SafeLlava:
    """Load a backbone in float32, frozen.

    Raises:
        CheckpointError: there is no such backbone, or it cannot be read.
        ConfigError: its tokenizer has no chat template that prompts can be made of.
    """
    source = find_backbone(folder)
    backbone = load_backbone(folder, device=device, dtype=torch.float32)
    model = create_bare_model(backbone, source=source, prompt_template=choose_template(source, "auto"))
    return model.requires_grad_(False)


def quicken_language_model(model: SafeLlava) -> None:
    """Run the frozen language model in bfloat16 where the processor multiplies such numbers faster than 32-bit ones."""
    on_cpu = model.device.type == "cpu"
    if torch.cpu._is_avx512_bf16_supported() if on_cpu else torch.cuda.is_bf16_supported():
        torch.nn.Module.to(model.backbone.model.language_model, dtype=torch.bfloat16)
        torch.nn.Module.to(model.backbone.lm_head, dtype=torch.bfloat16)
