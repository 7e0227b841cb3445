from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from safety_core.errors import ConfigError
from safety_core.model.checkpoint.adapter import get_adapter
from safety_core.model.checkpoint.checkpoint import init_checkpoint, load_checkpoint
from safety_core.model.config import SafetyConfig
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.config import TrainConfig
from safety_core.training.parameter_groups import ParameterGroups, clip_gradients, create_optimizer, prepare_model
from safety_core.training.starting_checkpoint import change_shape

ConfigFor = Callable[..., TrainConfig]


def learning(model: SafeLlava) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_stage_1_trains_the_modules_and_nothing_of_the_backbone(model: SafeLlava, config_for: ConfigFor) -> None:
    groups = prepare_model(model, config_for())
    assert learning(model) == {f"safety.{name}" for name, _ in model.safety.named_parameters()}
    assert set(groups.lm) == {"safety.llm_tokens_SD"}
    assert not set(groups.head) & set(groups.lm)


@pytest.mark.parametrize(("parts", "others"), [("head", "lm"), ("lm", "head")])
def test_one_part_can_be_trained_alone(model: SafeLlava, config_for: ConfigFor, parts: str, others: str) -> None:
    groups = prepare_model(model, config_for(train_parts=parts))
    assert getattr(groups, parts)
    assert not getattr(groups, others)
    assert learning(model) == set(groups.all)


def test_stage_2_adds_a_lora_to_the_language_models_linear_layers(model: SafeLlava, config_for: ConfigFor) -> None:
    groups = prepare_model(model, config_for(stage=2, lora_r=2))
    adapted = {name.split(".lora_")[0].rpartition(".")[2] for name in groups.lm if "lora_" in name}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert groups.head
    assert not any("vision_tower" in name for name in learning(model))


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_a_run_determines_the_dropout_of_an_adapter_that_exists(
    model: SafeLlava, config_for: ConfigFor, share: float
) -> None:
    prepare_model(model, config_for(stage=2, lora_r=2, lora_dropout=0.5))
    prepare_model(model, config_for(stage=2, lora_r=2, lora_dropout=share))
    adapter = get_adapter(model.backbone)
    assert adapter is not None
    dropouts = [part for name, part in adapter.named_modules() if ".lora_dropout." in name]
    assert dropouts
    assert {getattr(part, "p", 0.0) for part in dropouts} == {share}
    assert {getattr(config, "lora_dropout", None) for config in adapter.peft_config.values()} == {share}


def test_a_prompt_adapter_needs_layers_and_a_head_that_learns(model: SafeLlava, config_for: ConfigFor) -> None:
    with pytest.raises(ConfigError, match="prompt_layers above 0"):
        prepare_model(model, config_for(prompt_lora_r=2))
    with pytest.raises(ConfigError, match="prompt_lora_r"):
        prepare_model(model, config_for(prompt_lora_r=2, train_parts="lm"))


def test_what_is_switched_off_cannot_be_trained(
    tiny_backbone: Path, tmp_path: Path, model: SafeLlava, config_for: ConfigFor
) -> None:
    default = SafetyConfig.create_default(model.dims)

    def without(**switches: bool) -> SafeLlava:
        folder = tmp_path / "-".join(switches)
        init_checkpoint(tiny_backbone, folder, config=change_shape(default, switches))
        return load_checkpoint(folder, allow_untrained=True)

    with pytest.raises(ConfigError, match="head is switched off"):
        prepare_model(without(use_head=False), config_for(train_parts="head"))
    with pytest.raises(ConfigError, match="no parameters to train"):
        prepare_model(without(use_llm_tokens=False), config_for(train_parts="lm"))


def test_tokens_and_biases_do_not_decay(model: SafeLlava, config_for: ConfigFor) -> None:
    config = config_for(weight_decay=0.1, lr=1e-3, lr_lm=2e-3)
    groups = prepare_model(model, config)
    settings = create_optimizer(groups, config).param_groups
    of = {id(parameter): setting for setting in settings for parameter in setting["params"]}
    assert len(of) == len(groups.all)
    tokens = model.safety.llm_tokens_SD
    assert tokens is not None
    assert (of[id(tokens)]["lr"], of[id(tokens)]["weight_decay"]) == (2e-3, 0.0)
    decaying = {name for name, parameter in groups.all.items() if of[id(parameter)]["weight_decay"] > 0}
    assert "safety.head.cross.query.weight" in decaying
    assert not any(name.endswith(("bias", "_SD", "_D", "place")) for name in decaying)


def test_each_group_is_clipped_by_its_own_norm(config_for: ConfigFor) -> None:
    def parameter(gradient: float) -> torch.nn.Parameter:
        made = torch.nn.Parameter(torch.zeros(1))
        made.grad = torch.tensor([gradient])
        return made

    groups = ParameterGroups(head={"h": parameter(1000.0)}, lm={"t": parameter(0.5)})
    norms = clip_gradients(groups, config_for(clip=1.0, lambda_=10.0))
    assert norms == {"grad_norm_head": 1000.0, "grad_norm_lm": 0.5}
    assert groups.lm["t"].grad is not None
    assert groups.head["h"].grad is not None
    assert groups.lm["t"].grad.item() == 0.5
    assert groups.head["h"].grad.item() == pytest.approx(10.0)


def test_clipping_can_be_switched_off(config_for: ConfigFor) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.tensor([1e6])
    clip_gradients(ParameterGroups(head={"h": parameter}, lm={}), config_for(clip=0.0))
    assert parameter.grad.item() == 1e6
