"""The parameters that each stage trains, and their optimizer settings.

Stage 1 freezes the backbone. The head group (projector, head, its tokens) and the LM group (the tokens that enter the
LLM) share no parameters, so each is clipped by its own norm. Stage 2 adds a LoRA on the language model's linear layers
to the LM group, but not on the first ``prompt_layers``, whose states the head reads; the safety modules keep learning
with their own loss.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn
from torch.nn import Parameter

from safety_core.errors import ConfigError
from safety_core.model.checkpoint.adapter import attach_adapter, get_adapter
from safety_core.model.checkpoint.prompt_adapter import attach_prompt_adapter
from safety_core.model.modules.safety_modules import TOKEN_NAMES
from safety_core.model.prompt_reader import get_decoder
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class ParameterGroups:
    """The parameters that learn, by name, in disjoint groups."""

    head: dict[str, Parameter]
    """Projector, head and the head's tokens."""

    lm: dict[str, Parameter]
    """The LLM's tokens and, in stage 2, the LoRA."""

    prompt: dict[str, Parameter] = field(default_factory=dict)
    """The prompt adapter, which learns from the head's loss."""

    @property
    def all(self) -> dict[str, Parameter]:
        """All groups."""
        return {**self.head, **self.lm, **self.prompt}


def prepare_model(model: SafeLlava, config: TrainConfig) -> ParameterGroups:
    """Freeze the model, attach the stage's LoRA, and unfreeze the parameters that it trains.

    Raises:
        ConfigError: the head should be trained but is switched off in the model, a prompt adapter has no layers or is
            not trained with the head, or no parameter would learn.
    """
    nn.Module.requires_grad_(model, False)
    wants_head = config.train_parts in ("all", "head")
    wants_lm = config.train_parts in ("all", "lm")
    if config.train_parts == "head" and not model.config.use_head:
        raise ConfigError("train_parts: the head is switched off in this checkpoint")
    if config.stage == 2 and get_adapter(model.backbone) is None:
        attach_adapter(model.backbone, _create_lora_config(config, model))
    head: dict[str, Parameter] = {}
    lm: dict[str, Parameter] = {}
    for name, parameter in model.safety.named_parameters(prefix="safety"):
        if name == "safety.llm_tokens_SD":
            lm |= {name: parameter} if wants_lm and parameter.numel() else {}
        elif wants_head:
            head[name] = parameter
    adapter = get_adapter(model.backbone)
    if config.stage == 2 and adapter is not None:
        _set_dropout(adapter, config.lora_dropout)
        lm |= {f"adapter.{name}": parameter for name, parameter in adapter.named_parameters() if "lora_" in name}
    groups = ParameterGroups(head, lm, _prepare_prompt_adapter(model, config) if config.prompt_lora_r else {})
    if not groups.all:
        raise ConfigError(f"train_parts: {config.train_parts!r} leaves no parameters to train in stage {config.stage}")
    for parameter in groups.all.values():
        # Full precision, because updates are small relative to the weights.
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
    return groups


def _prepare_prompt_adapter(model: SafeLlava, config: TrainConfig) -> dict[str, Parameter]:
    """Attach a new prompt adapter unless the model has one; returns its parameters."""
    if config.train_parts == "lm":
        raise ConfigError("prompt_lora_r: a prompt adapter is trained with the head, not with train_parts 'lm'")
    if model.prompt_layers is None:
        layers: Any = getattr(get_decoder(model.backbone), "layers", [])
        lora = LoraConfig(
            r=config.prompt_lora_r,
            lora_alpha=2 * config.prompt_lora_r,
            lora_dropout=config.lora_dropout,
            bias="none",
            task_type=None,
            target_modules=_list_linear_names(layers),
        )
        model.use_prompt_layers(attach_prompt_adapter(model.backbone, model.config.prompt_layers, lora))
    assert isinstance(model.prompt_layers, PeftModel)
    _set_dropout(model.prompt_layers, config.lora_dropout)
    named = model.prompt_layers.named_parameters(prefix="prompt")
    return {name: parameter for name, parameter in named if "lora_" in name}


def _set_dropout(adapter: PeftModel, share: float) -> None:
    """Set the dropout in front of every LoRA matrix; a loaded adapter has that of the run that created it."""
    for layer in adapter.modules():
        if isinstance(layer, LoraLayer):
            for name in layer.lora_dropout:
                layer.lora_dropout[name] = nn.Dropout(share) if share else nn.Identity()
    for config in adapter.peft_config.values():
        assert isinstance(config, LoraConfig), "adapters are checked when they are loaded"
        config.lora_dropout = share


def create_optimizer(groups: ParameterGroups, config: TrainConfig) -> torch.optim.AdamW:
    """Create AdamW with each group's own learning rate; matrices decay, tokens and queries do not."""
    settings = []
    for parameters, lr in (
        (groups.head, config.lr),
        (groups.lm, config.lr if config.lr_lm is None else config.lr_lm),
        (groups.prompt, config.lr if config.lr_prompt is None else config.lr_prompt),
    ):
        for has_decay in (True, False):
            chosen = [parameter for name, parameter in parameters.items() if _has_decay(name, parameter) == has_decay]
            if chosen:
                settings.append(
                    {
                        "params": chosen,
                        "lr": lr,
                        "weight_decay": config.weight_decay if has_decay else 0.0,
                        "initial_lr": lr,
                    }
                )
    return torch.optim.AdamW(settings, betas=(0.9, 0.999), eps=1e-8)


def clip_gradients(groups: ParameterGroups, config: TrainConfig) -> dict[str, float]:
    """Clip the gradients of each group by their norm; returns the norms before clipping.

    The head's gradients have λ as a factor, so its bound has it too: λ changes nothing but the logged sum.
    """
    norms = {}
    for name, parameters, bound in (
        ("grad_norm_head", groups.head, config.clip * config.lambda_),
        ("grad_norm_lm", groups.lm, config.clip),
        ("grad_norm_prompt", groups.prompt, config.clip * config.lambda_),
    ):
        if parameters:
            limit = bound if config.clip > 0 else float("inf")
            norms[name] = float(nn.utils.clip_grad_norm_(parameters.values(), limit, error_if_nonfinite=False))
    return norms


def _create_lora_config(config: TrainConfig, model: SafeLlava) -> LoraConfig:
    """Create the LoRA's config; it leaves the layers alone through which the head reads texts."""
    targets: dict[str, Any] = {"target_modules": "all-linear"}
    if model.config.prompt_layers:
        layers: Any = get_decoder(model.backbone).layers
        # PEFT takes layer numbers only together with the names of the linear layers.
        targets = {
            "target_modules": _list_linear_names(layers),
            "layers_to_transform": list(range(model.config.prompt_layers, len(layers))),
            "layers_pattern": "layers",
        }
    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        bias="none",
        task_type=None,
        **targets,
    )


def _list_linear_names(layers: nn.Module) -> list[str]:
    """List the names of the linear layers inside of transformer layers."""
    return sorted({name.rpartition(".")[2] for name, part in layers.named_modules() if isinstance(part, nn.Linear)})


def _has_decay(name: str, parameter: Parameter) -> bool:
    return parameter.ndim >= 2 and name.rsplit(".", 1)[-1] not in TOKEN_NAMES
