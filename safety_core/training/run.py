"""One training run from a config to a checkpoint: read, prepare, train or resume, save.

The run folder holds resumable states, the log and the config. The same config resumes a run that was killed; a changed
config, data set or starting checkpoint is rejected there.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import TrainerCallback, set_seed

from safety_core.errors import ConfigError, SampleError
from safety_core.files import create_folders
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.spec import read_spec
from safety_core.training.config import TrainConfig
from safety_core.training.losses.stage_loss import StageLoss, measure
from safety_core.training.parameter_groups import ParameterGroups, prepare_model
from safety_core.training.resume_states import CompletionMarker, find_last_complete
from safety_core.training.run_folder import LOG_FILE, START_DIR, STATES_DIR, claim, release
from safety_core.training.run_log import JsonLog, open_displays
from safety_core.training.run_samples import (
    build_evaluation_set,
    build_training_set,
    compute_class_weights,
    fill_prompt_cache,
    read_samples,
    select_trainable,
    skip_too_long,
)
from safety_core.training.starting_checkpoint import find_starting_checkpoint, pick_training_device
from safety_core.training.trained_checkpoint import save_trained_checkpoint
from safety_core.training.trainer import StageTrainer, create_arguments

_FEW_STEPS = 20
"""Runs with fewer optimizer steps count as trials, whatever the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """Result of a run."""

    out: Path
    """The checkpoint that was written."""

    steps: int
    """Optimizer steps of the whole run, including those before a resumption."""

    resumed_from: int
    """Step from which this process resumed; 0 for a new run."""

    samples: int
    """Number of samples that were trained on."""

    skipped: tuple[SampleError, ...]
    """Errors of the records of ``data`` and ``eval_data`` that were skipped."""

    metrics: Mapping[str, float]
    """Losses and accuracies on ``eval_data`` at the end; empty without any."""

    warnings: tuple[str, ...] = ()
    """Warnings to read before serving the checkpoint."""


def train(config: TrainConfig, *, callbacks: Sequence[TrainerCallback] = ()) -> TrainReport:
    """Run one stage, or resume it.

    Args:
        config: the run's config.
        callbacks: additional Trainer callbacks.

    Raises:
        ConfigError: the config contradicts itself, the checkpoint, or an unfinished run in the same folder.
        SampleError: a record is malformed, an image unreadable or a prompt too long, and ``skip_bad`` is off.
        CheckpointError: the checkpoint or backbone cannot be loaded, or ``out`` exists.
    """
    out, folder = Path(config.out), config.run_path
    if out.exists():
        raise ConfigError(f"out: {out} exists already")
    with create_folders(folder):
        try:
            return _train(config, out, folder, callbacks)
        except BaseException:
            release(folder, resumable=find_last_complete(folder / STATES_DIR) is not None)
            raise


def _train(config: TrainConfig, out: Path, folder: Path, callbacks: Sequence[TrainerCallback]) -> TrainReport:
    state = find_last_complete(folder / STATES_DIR)
    claim(folder, config, resumable=state is not None)
    device = pick_training_device(config)
    start = find_starting_checkpoint(config, folder)
    spec = read_spec(start)
    training = read_samples(config.data, spec.taxonomy, config)
    held_out = read_samples(config.eval_data, spec.taxonomy, config)
    model, groups = _load_model(config, start, device=str(device))
    parts = {"train_head": bool(groups.head), "train_lm": bool(groups.lm)}
    if not groups.head:
        training = select_trainable(training, config)
    training = skip_too_long(training, model, config, train_lm=bool(groups.lm))
    if not training.samples:
        raise ConfigError("data: no training sample is left")
    dataset = build_training_set(model, training.samples, config, **parts)
    held_out = skip_too_long(held_out, model, config, train_lm=bool(groups.lm))
    prompts = fill_prompt_cache(model, (*training.samples, *held_out.samples), config) if groups.head else None
    loss = StageLoss(model, config, compute_class_weights(config, training.samples, spec.taxonomy), prompts)
    evaluation_set = build_evaluation_set(model, held_out.samples, config, **parts)
    resumed_from = 0 if state is None else int(state.name.rpartition("-")[2])
    steps = -(-len(dataset) // config.grad_accum)
    epochs = dataset.planned[-1].epoch + 1
    log = JsonLog(folder / LOG_FILE, epochs=epochs, loss=loss, held_out=evaluation_set, config=config)
    log.rewind(resumed_from)
    with open_displays(config, folder, steps) as displays:
        trainer = StageTrainer(
            loss,
            groups,
            config,
            args=create_arguments(config, folder / STATES_DIR, steps, device),
            dataset=dataset,
            callbacks=[CompletionMarker(), log, *displays, *callbacks],
        )
        trainer.train(resume_from_checkpoint=None if state is None else str(state))
    metrics = {} if evaluation_set is None else measure(loss, evaluation_set)
    log.write({"step": steps, **metrics, "done": True})
    # Without a head, there is nothing else to train. With a head, a run that does not train it does not train a guard.
    trained = spec.trained or bool(groups.head) or not model.config.use_head
    save_trained_checkpoint(model, config, out, start, training.samples, steps=steps, metrics=metrics, trained=trained)
    for name in (STATES_DIR, START_DIR):
        shutil.rmtree(folder / name, ignore_errors=True)
    warnings = list_warnings(
        config, start_trained=spec.trained, trained=trained, steps=steps, samples=len(training.samples)
    )
    return TrainReport(
        out=out,
        steps=steps,
        resumed_from=resumed_from,
        samples=len(training.samples),
        skipped=(*training.skipped, *held_out.skipped),
        metrics=metrics,
        warnings=tuple(warnings),
    )


def _load_model(config: TrainConfig, start: Path, *, device: str) -> tuple[SafeLlava, ParameterGroups]:
    """Load the starting checkpoint, and prepare it for the stage."""
    # The seed is set before anything random is created, so that a resumed process starts from the same adapter.
    set_seed(config.seed)
    model = load_checkpoint(
        start,
        device=device,
        quantize=config.quantize,
        allow_untrained=True,
        merge=False if config.stage == 2 else None,
        train_prompt_adapter=config.prompt_lora_r > 0,
    )
    groups = prepare_model(model, config)
    if config.gradient_checkpointing:
        _enable_gradient_checkpointing(model)
    return model, groups


def list_warnings(
    config: TrainConfig, *, start_trained: bool, trained: bool, steps: int, samples: int
) -> Iterator[str]:
    """List warnings about a run that succeeded."""
    if config.stage == 2 and not start_trained:
        yield "stage 2 started from untrained safety modules; stage 1 should come first"
    if not trained:
        yield "the head has never been trained, so the checkpoint still counts as untrained"
    elif steps < _FEW_STEPS or steps * config.batch_size * config.grad_accum < samples:
        yield (
            f"{steps} optimizer steps over {samples} samples: the modules have hardly learned, "
            "although the checkpoint counts as trained; measure it before you rely on it"
        )


def _enable_gradient_checkpointing(model: SafeLlava) -> None:
    """Recompute the language model's activations in the backward pass; version 5 of transformers renamed the method."""
    language_model = model.backbone.model.language_model
    enable = getattr(language_model, "activation_checkpointing_enable", None)
    (enable or language_model.gradient_checkpointing_enable)()
