"""What learns in each stage, and with which optimizer settings.

Stage 1 leaves the backbone alone: the head group (projector, head, its tokens) and the LM group (the tokens that enter
the LLM) share no parameters, so each is clipped by itself. Stage 2 adds a LoRA on the language model's linear layers to
the LM group, and the modules keep learning with their own loss.
"""

from dataclasses import dataclass

import torch
from peft import LoraConfig
from torch import nn
from torch.nn import Parameter

from safety_core.errors import ConfigError
from safety_core.model.checkpoint.adapter import attach_adapter, get_adapter
from safety_core.model.modules.safety_modules import TOKEN_NAMES
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Groups:
    """The parameters that learn, by name, in the two groups that share none."""

    head: dict[str, Parameter]
    """Projector, head and the head's tokens."""

    lm: dict[str, Parameter]
    """The LLM's tokens and, in stage 2, the LoRA."""

    @property
    def all(self) -> dict[str, Parameter]:
        """Both groups."""
        return {**self.head, **self.lm}


def prepare(model: SafeLlava, config: TrainConfig) -> Groups:
    """Freeze everything, attach what the stage adds, and thaw what it trains.

    Raises:
        ConfigError: what should be trained is switched off in the model, or nothing would learn.
    """
    nn.Module.requires_grad_(model, False)
    wants_head = config.train_parts in ("all", "head")
    wants_lm = config.train_parts in ("all", "lm")
    if config.train_parts == "head" and not model.config.use_head:
        raise ConfigError("train_parts: the head is switched off in this checkpoint")
    if config.stage == 2 and get_adapter(model.backbone) is None:
        attach_adapter(model.backbone, _lora(config))
    head: dict[str, Parameter] = {}
    lm: dict[str, Parameter] = {}
    for name, parameter in model.safety.named_parameters(prefix="safety"):
        if name == "safety.llm_tokens_SD":
            lm |= {name: parameter} if wants_lm and parameter.numel() else {}
        elif wants_head:
            head[name] = parameter
    adapter = get_adapter(model.backbone)
    if config.stage == 2 and adapter is not None:
        lm |= {f"adapter.{name}": parameter for name, parameter in adapter.named_parameters() if "lora_" in name}
    groups = Groups(head, lm)
    if not groups.all:
        raise ConfigError(f"train_parts: {config.train_parts!r} leaves nothing to learn in stage {config.stage}")
    for parameter in groups.all.values():
        # Gradients are small beside the weights they change: what learns is kept in full precision.
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
    return groups


def optimizer_for(groups: Groups, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW with each group's own learning rate; only matrices decay, tokens and queries do not."""
    settings = []
    for parameters, lr in ((groups.head, config.lr), (groups.lm, config.lr if config.lr_lm is None else config.lr_lm)):
        for decays in (True, False):
            chosen = [parameter for name, parameter in parameters.items() if _decays(name, parameter) == decays]
            if chosen:
                settings.append(
                    {
                        "params": chosen,
                        "lr": lr,
                        "weight_decay": config.weight_decay if decays else 0.0,
                        "initial_lr": lr,
                    }
                )
    return torch.optim.AdamW(settings, betas=(0.9, 0.999), eps=1e-8)


def clip(groups: Groups, config: TrainConfig) -> dict[str, float]:
    """Clip each group by its own norm; returns the norms before clipping.

    The head's gradients carry λ as a factor, so its bound does too: λ then changes nothing but the logged sum.
    """
    norms = {}
    for name, parameters, bound in (
        ("grad_norm_head", groups.head, config.clip * config.lambda_),
        ("grad_norm_lm", groups.lm, config.clip),
    ):
        if parameters:
            limit = bound if config.clip > 0 else float("inf")
            norms[name] = float(nn.utils.clip_grad_norm_(parameters.values(), limit, error_if_nonfinite=False))
    return norms


def _lora(config: TrainConfig) -> LoraConfig:
    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        bias="none",
        target_modules="all-linear",
        task_type=None,
    )


def _decays(name: str, parameter: Parameter) -> bool:
    return parameter.ndim >= 2 and name.rsplit(".", 1)[-1] not in TOKEN_NAMES
