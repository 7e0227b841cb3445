"""Loads a backbone without safety modules, with the prompt format of the checkpoints that are made of it."""

from pathlib import Path

import torch

from safety_core.model.checkpoint.backbone import find_backbone, load_backbone
from safety_core.model.config import BackboneDims, HeadConfig, ProjectorConfig, SafetyConfig
from safety_core.model.hints import create_default_hints
from safety_core.model.modules.safety_modules import SafetyModules
from safety_core.model.safe_llava import SafeLlava
from safety_core.taxonomy import DEFAULT_TAXONOMY
from safety_core.training.starting_checkpoint import choose_template

_NO_MODULES = SafetyConfig(
    num_safety_tokens=0,
    projector=ProjectorConfig(hidden=1, grid=1),
    head=HeadConfig.create_reference(),
    use_llm_tokens=False,
    use_head=False,
)
"""Safety modules that do not exist: no token enters the language model, and nothing is judged."""


def load_bare_model(folder: Path, *, device: str | torch.device = "cpu") -> SafeLlava:
    """Load a backbone in float32, frozen.

    Raises:
        CheckpointError: there is no such backbone, or it cannot be read.
        ConfigError: its tokenizer has no chat template that prompts can be made of.
    """
    source = find_backbone(folder)
    backbone = load_backbone(folder, device=device, dtype=torch.float32)
    dims = BackboneDims.read_config(backbone.model.config)
    taxonomy = DEFAULT_TAXONOMY
    modules = SafetyModules(dims, _NO_MODULES, num_types=len(taxonomy.types), num_levels=len(taxonomy.levels))
    model = SafeLlava(
        backbone.model,
        modules,
        taxonomy=taxonomy,
        hints=create_default_hints(taxonomy),
        tokenizer=backbone.tokenizer,
        image_processor=backbone.image_processor,
        source=source,
        prompt_template=choose_template(source, "auto"),
    )
    return model.eval().requires_grad_(False)


def quicken_language_model(model: SafeLlava) -> None:
    """Run the frozen language model in bfloat16 where the processor multiplies such numbers faster than 32-bit ones."""
    on_cpu = model.device.type == "cpu"
    if torch.cpu._is_avx512_bf16_supported() if on_cpu else torch.cuda.is_bf16_supported():
        torch.nn.Module.to(model.backbone.model.language_model, dtype=torch.bfloat16)
        torch.nn.Module.to(model.backbone.lm_head, dtype=torch.bfloat16)
