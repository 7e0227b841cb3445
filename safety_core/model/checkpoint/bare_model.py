"""A backbone without its guard: no safety modules, and a language model without the adapter of stage 2.

Such a model can stand beside a guarded one. It then shares every weight with it except those that the adapter changes,
so that both can run on one device in little more memory than one of them. Knows no requests.
"""

import copy
from itertools import chain
from typing import Any

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import LlavaForConditionalGeneration

from safety_core.errors import ConfigError
from safety_core.inputs.chat_template import PromptTemplate
from safety_core.model.checkpoint.backbone import Backbone
from safety_core.model.config import BackboneDims, HeadConfig, ProjectorConfig, SafetyConfig
from safety_core.model.hints import create_default_hints
from safety_core.model.modules.safety_modules import SafetyModules
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.spec import BackboneRef
from safety_core.taxonomy import DEFAULT_TAXONOMY

_NO_MODULES = SafetyConfig(
    num_safety_tokens=0,
    projector=ProjectorConfig(hidden=1, grid=1),
    head=HeadConfig.create_reference(),
    use_llm_tokens=False,
    use_head=False,
)
"""Safety modules that do not exist: no token enters the language model, and nothing is judged."""


def create_bare_model(
    backbone: Backbone, *, source: BackboneRef | None = None, prompt_template: PromptTemplate | None = None
) -> SafeLlava:
    """Create a model that generates and judges nothing, in evaluation mode.

    Args:
        backbone: the LLaVA.
        source: location of its files; None if it was never saved.
        prompt_template: format of conversations; LLaVA-1.5's if None.
    """
    dims, taxonomy = BackboneDims.read_config(backbone.model.config), DEFAULT_TAXONOMY
    modules = SafetyModules(dims, _NO_MODULES, num_types=len(taxonomy.types), num_levels=len(taxonomy.levels))
    model = SafeLlava(
        backbone.model,
        modules,
        taxonomy=taxonomy,
        hints=create_default_hints(taxonomy),
        tokenizer=backbone.tokenizer,
        image_processor=backbone.image_processor,
        source=source,
        prompt_template=prompt_template,
    )
    return model.eval()


def copy_without_weights(model: LlavaForConditionalGeneration) -> LlavaForConditionalGeneration:
    """Copy a LLaVA before its language model gets an adapter; the copy stays without it.

    Only the language model's containers are copied. An adapter replaces layers in the containers of the original; the
    copy still contains the layers that were replaced. All other modules, and all weights, are the original's own.
    """
    language_model: Any = model.model.language_model
    containers = [part for part in language_model.modules() if next(part.children(), None) is not None]
    copied = {id(part) for part in (model, model.model, *containers)}
    shared: dict[int, Any] = {id(part): part for part in model.modules() if id(part) not in copied}
    shared |= {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    return copy.deepcopy(model, shared)


def keep_adapted_layers(bare: LlavaForConditionalGeneration, adapter: PeftModel) -> None:
    """Give a copy its own layers where an adapter is about to be merged into those of the original.

    Args:
        bare: what :func:`copy_without_weights` returned.
        adapter: the adapter of the original, not merged yet.

    Raises:
        ConfigError: the adapter changes a module that is not a linear layer, such as an embedding, whose weights the
            output layer may share.
    """
    language_model: Any = bare.model.language_model
    for name, module in adapter.get_base_model().named_modules():
        if not isinstance(module, BaseTunerLayer):
            continue
        layer = module.get_base_layer()
        if not isinstance(layer, nn.Linear):
            raise ConfigError("only an adapter of linear layers can be left out for a comparison")
        language_model.set_submodule(name, copy.deepcopy(layer))
