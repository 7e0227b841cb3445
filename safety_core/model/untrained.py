"""Creates models in memory with freshly initialised safety modules, for experiments and tests."""

import torch
from transformers import BaseImageProcessor, LlavaForConditionalGeneration, PreTrainedTokenizerBase

from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.hints import create_default_hints
from safety_core.model.modules.safety_modules import SafetyModules
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.spec import BackboneRef
from safety_core.policy.named_policies import Hints
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy


def create_untrained(
    backbone: LlavaForConditionalGeneration,
    *,
    tokenizer: PreTrainedTokenizerBase,
    image_processor: BaseImageProcessor,
    config: SafetyConfig | None = None,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
    hints: Hints | None = None,
    seed: int = 0,
    source: BackboneRef | None = None,
) -> SafeLlava:
    """Create a model with freshly initialised safety modules; defaults as for :func:`init_checkpoint`."""
    dims = BackboneDims.read_config(backbone.config)
    safety = SafetyModules(
        dims,
        config or SafetyConfig.create_default(dims),
        num_types=len(taxonomy.types),
        num_levels=len(taxonomy.levels),
    ).init_weights(torch.Generator().manual_seed(seed))
    return SafeLlava(
        backbone,
        safety,
        taxonomy=taxonomy,
        hints=create_default_hints(taxonomy) if hints is None else hints,
        tokenizer=tokenizer,
        image_processor=image_processor,
        source=source,
    )
