from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from safety_core.data.samples import Sample
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.batches.dataset import BatchDataset
from safety_core.training.config import TrainConfig
from safety_core.training.losses.stage_loss import StageLoss
from safety_core.training.parameter_groups import prepare_model
from safety_core.training.run import train
from safety_core.training.run_samples import build_training_set, compute_class_weights
from safety_core.training.trainer import StageTrainer, create_arguments
from tests.helpers.training_runs import read_log

ConfigFor = Callable[..., TrainConfig]


class RecordNorms(TrainerCallback):
    """Records the norms of the gradients that the optimizer gets."""

    def __init__(self, trainer: StageTrainer, norms: list[dict[str, float]]) -> None:
        self.trainer, self.norms = trainer, norms

    def on_pre_optimizer_step(self, *_args: object, **_kwargs: object) -> None:
        groups = {"head": self.trainer.groups.head, "lm": self.trainer.groups.lm}
        self.norms.append({name: compute_norm(list(group.values())) for name, group in groups.items()})


def compute_norm(parameters: list[torch.nn.Parameter]) -> float:
    gradients = [parameter.grad.flatten() for parameter in parameters if parameter.grad is not None]
    return float(torch.cat(gradients).norm())


@pytest.fixture
def create_trainer(
    model: SafeLlava, samples: tuple[Sample, ...], config_for: ConfigFor, tmp_path: Path
) -> Callable[..., StageTrainer]:
    """Create a trainer of four steps, with changes of the config."""

    def create(**changes: Any) -> StageTrainer:
        config = config_for(**changes)
        groups = prepare_model(model, config)
        parts = {"train_head": bool(groups.head), "train_lm": bool(groups.lm)}
        classes = compute_class_weights(config, samples, model.taxonomy)
        return StageTrainer(
            StageLoss(model, config, classes),
            groups,
            config,
            args=create_arguments(config, tmp_path / "states", 4, torch.device("cpu")),
            dataset=build_training_set(model, samples, config, **parts),
            callbacks=[],
        )

    return create


def test_the_learning_rate_rises_as_long_as_asked_for(config_for: ConfigFor) -> None:
    config = config_for(max_steps=6, warmup_steps=4, train_parts="head", schedule="constant_with_warmup")
    train(config)
    rates = [line["learning_rate"] for line in read_log(config) if "learning_rate" in line]
    assert rates == pytest.approx([0.0, 2.5e-4, 5e-4, 7.5e-4, 1e-3, 1e-3])


def test_accumulated_batches_equal_one_large_batch(config_for: ConfigFor, tiny_backbone: Path, tmp_path: Path) -> None:
    # Every sample once in a step, in whatever order; nothing random in the modules.
    common: dict[str, Any] = {"backbone": str(tiny_backbone), "safety": {"head": {"dropout": 0.0}}}
    common |= {"max_steps": 1, "hint_dropout": 0.0, "cache_features": str(tmp_path / "cache")}
    large = config_for(batch_size=28, out=str(tmp_path / "large"), **common)
    small = config_for(batch_size=7, grad_accum=4, out=str(tmp_path / "small"), **common)
    train(large)
    train(small)
    first, second = read_log(large)[0], read_log(small)[0]
    for name in ("lm_loss", "type_loss", "level_loss", "grad_norm_lm", "grad_norm_head"):
        assert first[name] == pytest.approx(second[name], rel=1e-4), name


def test_batches_come_in_their_planned_order_and_whole(create_trainer: Callable[..., StageTrainer]) -> None:
    trainer = create_trainer(train_parts="lm")
    loader = trainer.get_train_dataloader()
    dataset = trainer.train_dataset
    assert isinstance(dataset, BatchDataset)
    planned = [dataset[number].encoded for number in range(4)]
    assert [tuple(given) for given in loader] == [("batch",)] * 4
    assert [given["batch"].encoded for given in loader] == planned


def test_a_state_holds_what_learns_and_brings_it_back(
    create_trainer: Callable[..., StageTrainer], tmp_path: Path
) -> None:
    trainer = create_trainer(train_parts="lm")
    (tokens,) = trainer.groups.all.values()
    before = tokens.detach().clone()
    trainer.save_model(str(tmp_path / "state"))
    saved = load_file(tmp_path / "state" / "learned.safetensors")
    assert {name: tensor.shape for name, tensor in saved.items()} == {"safety.llm_tokens_SD": tokens.shape}
    with torch.no_grad():
        tokens.zero_()
    trainer._load_from_checkpoint(str(tmp_path / "state"))
    assert torch.equal(tokens, before)


def test_a_state_of_other_parameters_is_refused(create_trainer: Callable[..., StageTrainer], tmp_path: Path) -> None:
    create_trainer(train_parts="lm").save_model(str(tmp_path / "state"))
    with pytest.raises(ValueError, match="the state holds 1 tensors"):
        create_trainer(train_parts="head")._load_from_checkpoint(str(tmp_path / "state"))


def test_every_step_clips_by_group_and_logs_norms_and_parts(create_trainer: Callable[..., StageTrainer]) -> None:
    trainer = create_trainer(clip=1e-4, lambda_=10.0, lr=1e-3)
    clipped: list[dict[str, float]] = []
    trainer.add_callback(RecordNorms(trainer, clipped))
    trainer.train()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    names = {"grad_norm_head", "grad_norm_lm", "type_loss", "level_loss", "lm_loss", "learning_rate"}
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert all(names <= set(line) for line in lines)
    assert all(line["grad_norm_head"] > 1e-2 for line in lines), "norms before clipping"
    assert all(norms == pytest.approx({"head": 1e-3, "lm": 1e-4}, rel=1e-3) for norms in clipped)
    assert len(clipped) == 4


@pytest.mark.parametrize(("precision", "flags"), [("fp32", (False, False)), ("bf16", (True, False))])
def test_the_settings_of_the_trainer_follow_the_config(
    config_for: ConfigFor, tmp_path: Path, precision: str, flags: tuple[bool, bool]
) -> None:
    config = config_for(precision=precision, grad_accum=3, warmup_steps=50, save_steps=7, schedule="cosine", seed=5)
    arguments = create_arguments(config, tmp_path, 20, torch.device("cpu"))
    assert (arguments.bf16, arguments.fp16) == flags
    assert (arguments.gradient_accumulation_steps, arguments.save_steps, arguments.seed) == (3, 7, 5)
    assert arguments.warmup_steps == 20, "no longer than the run"
    assert arguments.lr_scheduler_type == "cosine"
    assert arguments.max_grad_norm == 0, "gradients are clipped group by group instead"
