"""One training run from a config to a checkpoint: read, prepare, train or resume, save.

The run folder beside the checkpoint holds resumable states, the log and the config; running the same config again goes
on where a killed run stopped, and a changed config, data set or start is refused there instead of silently mixed in.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import torch
from transformers import TrainerCallback, TrainingArguments, set_seed
from transformers.integrations.integration_utils import TensorBoardCallback

import safety_core
from safety_core.data.jsonl import read_jsonl_files
from safety_core.data.sample_images import build_image_table, drop_unreadable
from safety_core.data.samples import Sample
from safety_core.errors import ConfigError, SampleError
from safety_core.files import folders_made
from safety_core.model.checkpoint.checkpoint import POLICY_FILE, load_checkpoint, save_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.spec import read_spec
from safety_core.policy.documents import load_policy
from safety_core.taxonomy import Taxonomy
from safety_core.training.batches import BatchDataset, Corpus, drop_too_long, plan
from safety_core.training.config import TrainConfig
from safety_core.training.losses import ClassWeights
from safety_core.training.preparation import (
    LOG_FILE,
    START_DIR,
    STATES_DIR,
    TENSORBOARD_DIR,
    claim,
    device_for,
    file_sha256,
    release,
    starting_point,
)
from safety_core.training.resume_states import MarkComplete, last_complete
from safety_core.training.run_log import JsonLog, Progress
from safety_core.training.stages import prepare
from safety_core.training.trainer import Losses, StageTrainer, measure
from safety_core.training.vision_features import FeatureCache, LivePictures, VisionSource

_NAMED = 20
"""Errors that are named one by one in a message."""

_FEW_STEPS = 20
"""Fewer optimizer steps than this are a trial, whatever the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """What a run did."""

    out: Path
    """The checkpoint."""

    steps: int
    """Optimizer steps in all, those before a resumption included."""

    resumed_from: int
    """Step at which this process took over; 0 for a fresh run."""

    samples: int
    """Samples that were learned from."""

    skipped: tuple[SampleError, ...]
    """Records of ``data`` and ``eval_data`` left out: malformed, a picture unreadable or the prompt too long."""

    metrics: Mapping[str, float]
    """Losses and accuracies on ``eval_data`` at the end; empty without any."""

    warnings: tuple[str, ...] = ()
    """Warnings to read before serving the checkpoint."""


def train(config: TrainConfig, *, callbacks: Sequence[TrainerCallback] = ()) -> TrainReport:
    """Run one stage, or go on with it.

    Args:
        config: what to do.
        callbacks: additional Trainer callbacks.

    Raises:
        ConfigError: the config contradicts itself, the checkpoint, or an unfinished run in the same folder.
        SampleError: a record is malformed, a picture unreadable or a prompt too long, and ``skip_bad`` is off.
        CheckpointError: the checkpoint or backbone cannot be loaded, or ``out`` exists.
    """
    out, folder = Path(config.out), config.run_path
    if out.exists():
        raise ConfigError(f"out: {out} exists already")
    with folders_made(folder):
        try:
            return _train(config, out, folder, callbacks)
        except BaseException:
            release(folder, resumable=last_complete(folder / STATES_DIR) is not None)
            raise


def _train(config: TrainConfig, out: Path, folder: Path, callbacks: Sequence[TrainerCallback]) -> TrainReport:
    state = last_complete(folder / STATES_DIR)
    claim(folder, config, resumable=state is not None)
    device = device_for(config)
    start = starting_point(config, folder)
    taxonomy = read_spec(start).taxonomy
    samples, bad = _read(config.data, taxonomy, config)
    measured, unmeasured = _read(config.eval_data, taxonomy, config)
    # Before anything random is made, so that a resumed process starts from the same adapter.
    set_seed(config.seed)
    model = load_checkpoint(
        start,
        device=device,
        quantize=config.quantize,
        allow_untrained=True,
        merge=False if config.stage == 2 else None,
    )
    groups = prepare(model, config)
    if config.gradient_checkpointing:
        _save_memory(model)
    train_head, train_lm = bool(groups.head), bool(groups.lm)
    if not train_head:
        # Stage 1's tokens ride in front of pictures: a text teaches them nothing, and a batch of such has no gradient.
        teaches = [sample.answer is not None and (config.stage == 2 or bool(sample.images)) for sample in samples]
        samples = tuple(compress(samples, teaches))
    samples, too_long = _fitting(model, samples, config, train_lm=train_lm)
    if not samples:
        raise ConfigError("data: no sample is left to learn from")
    corpus = _corpus(model, samples, config, train_head=train_head, train_lm=train_lm)
    planned = plan(
        corpus.groups,
        corpus.lengths,
        batch_size=config.batch_size,
        epochs=config.epochs,
        batches=None if config.max_steps is None else config.max_steps * config.grad_accum,
        share=config.share_images,
        seed=config.seed,
    )
    dataset = BatchDataset(
        corpus,
        planned,
        accumulate=config.grad_accum,
        surface_weight=config.surface_weight,
        hint_dropout=config.hint_dropout,
        seed=config.seed,
    )
    losses = Losses(model, config, _class_weights(config, samples, taxonomy))
    measured, unfit = _fitting(model, measured, config, train_lm=train_lm)
    held_out = _held_out(model, measured, config, train_head=train_head, train_lm=train_lm)
    resumed_from = 0 if state is None else int(state.name.rpartition("-")[2])
    steps = -(-len(planned) // config.grad_accum)
    log = JsonLog(folder / LOG_FILE, epochs=planned[-1].epoch + 1, losses=losses, held_out=held_out, config=config)
    log.rewind(resumed_from)
    trainer = StageTrainer(
        losses,
        groups,
        config,
        args=_arguments(config, folder, steps, device),
        dataset=dataset,
        callbacks=[MarkComplete(), log, *_watchers(config, folder, steps), *callbacks],
    )
    trainer.train(resume_from_checkpoint=None if state is None else str(state))
    metrics = {} if held_out is None else measure(losses, held_out)
    log.write({"step": steps, **metrics, "done": True})
    start_trained = read_spec(start).trained
    # Without a head there is nothing else to learn; with one, a run that leaves it out trains no guard.
    trained = start_trained or train_head or not model.config.use_head
    _write(model, config, out, start, samples, steps=steps, metrics=metrics, trained=trained)
    for spent in (STATES_DIR, START_DIR):
        shutil.rmtree(folder / spent, ignore_errors=True)
    return TrainReport(
        out=out,
        steps=steps,
        resumed_from=resumed_from,
        samples=len(samples),
        skipped=(*bad, *too_long, *unmeasured, *unfit),
        metrics=metrics,
        warnings=tuple(
            _warnings(config, start_trained=start_trained, trained=trained, steps=steps, samples=len(samples))
        ),
    )


def _warnings(config: TrainConfig, *, start_trained: bool, trained: bool, steps: int, samples: int) -> Iterator[str]:
    """Warnings about a run that succeeded."""
    if config.stage == 2 and not start_trained:
        yield "stage 2 started from untrained safety modules; stage 1 should come first"
    if not trained:
        yield "the head has never been trained, so the checkpoint still counts as untrained"
    elif steps < _FEW_STEPS or steps * config.batch_size * config.grad_accum < samples:
        yield (
            f"{steps} optimizer steps over {samples} samples: the modules have hardly learned, "
            "although the checkpoint counts as trained; measure it before you rely on it"
        )


def _read(
    files: Sequence[str], taxonomy: Taxonomy, config: TrainConfig
) -> tuple[tuple[Sample, ...], tuple[SampleError, ...]]:
    """Samples, and the skipped ones; every picture is decoded once."""
    result = read_jsonl_files(files, taxonomy, skip_bad=config.skip_bad)
    kept, unreadable = drop_unreadable(result.samples)
    if unreadable and not config.skip_bad:
        raise _listed(unreadable)
    return kept, (*result.bad, *unreadable)


def _listed(errors: Sequence[SampleError]) -> SampleError:
    """Combine several errors into one that lists the first ones; type and place are those of the first."""
    first, *others = errors
    if not others:
        return first
    named = [f"{error.file}:{error.line}: {error.field}: {error.message}" for error in others[:_NAMED]]
    rest = len(others) - len(named)
    lines = "".join(f"\n  {line}" for line in (*named, *([f"and {rest} more"] if rest else [])))
    return SampleError(
        f"{first.message}; {len(errors)} records have such a picture, see also:{lines}",
        file=first.file,
        line=first.line,
        field=first.field,
    )


def _fitting(
    model: SafeLlava, samples: tuple[Sample, ...], config: TrainConfig, *, train_lm: bool
) -> tuple[tuple[Sample, ...], tuple[SampleError, ...]]:
    """Samples that the model can read, and what was left out of them; where none may be, the corpus complains."""
    return drop_too_long(model, samples, train_lm=train_lm) if config.skip_bad else (samples, ())


def _corpus(
    model: SafeLlava, samples: Sequence[Sample], config: TrainConfig, *, train_head: bool, train_lm: bool
) -> Corpus:
    table = build_image_table(samples)
    source: VisionSource = LivePictures(table, model)
    if config.cache_features is not None:
        cache = FeatureCache(config.cache_features, model)
        cache.fill(table, progress=config.progress)
        source = cache.bound(table)
    return Corpus(model, samples, table, source, train_head=train_head, train_lm=train_lm)


def _held_out(
    model: SafeLlava, samples: Sequence[Sample], config: TrainConfig, *, train_head: bool, train_lm: bool
) -> BatchDataset | None:
    """What to measure on."""
    if not config.eval_data:
        return None
    corpus = _corpus(model, samples, config, train_head=train_head, train_lm=train_lm)
    planned = plan(corpus.groups, corpus.lengths, batch_size=config.batch_size, share=config.share_images)
    return BatchDataset(corpus, planned, accumulate=len(planned), surface_weight=0.0)


def _class_weights(config: TrainConfig, samples: Sequence[Sample], taxonomy: Taxonomy) -> ClassWeights:
    num_types, num_levels = len(taxonomy.types), len(taxonomy.levels)
    if config.class_weights == "none":
        return ClassWeights.even(num_types, num_levels)
    labels = [sample.label for sample in samples]
    return ClassWeights.balanced(
        [label.type for label in labels], [label.level for label in labels], num_types, num_levels
    )


def _save_memory(model: SafeLlava) -> None:
    """Recompute the language model's activations in the backward pass; the call's name changed within version 5."""
    language_model = model.backbone.model.language_model
    enable = getattr(language_model, "activation_checkpointing_enable", None)
    (enable or language_model.gradient_checkpointing_enable)()


def _watchers(config: TrainConfig, folder: Path, steps: int) -> list[TrainerCallback]:
    """What shows the run to people."""
    watchers: list[TrainerCallback] = [Progress(steps)] if config.progress else []
    if config.tensorboard:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as exc:
            raise ConfigError("tensorboard: it is not installed; the extra 'eval' brings it") from exc
        # The Trainer's own place for these is among the states, which go when the run is done.
        watchers.append(TensorBoardCallback(SummaryWriter(str(folder / TENSORBOARD_DIR))))
    return watchers


def _arguments(config: TrainConfig, folder: Path, steps: int, device: torch.device) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(folder / STATES_DIR),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=config.grad_accum,
        num_train_epochs=1,
        learning_rate=config.lr,
        lr_scheduler_type=config.schedule,
        warmup_steps=config.warmup_of(steps),
        max_grad_norm=0.0,
        logging_steps=config.log_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=config.save_steps,
        save_total_limit=2,
        bf16=config.precision == "bf16",
        fp16=config.precision == "fp16",
        use_cpu=device.type == "cpu",
        dataloader_num_workers=config.workers,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        seed=config.seed,
    )
    # A batch is planned as a whole: several GPUs in one process would take it apart.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _write(
    model: SafeLlava,
    config: TrainConfig,
    out: Path,
    start: Path,
    samples: Sequence[Sample],
    *,
    steps: int,
    metrics: Mapping[str, float],
    trained: bool,
) -> None:
    """Save the checkpoint with where it comes from; the policy goes along as it was."""
    spec = read_spec(start)
    provenance: dict[str, object] = {
        "trained": trained,
        "stage": config.stage,
        "train_parts": config.train_parts,
        "steps": steps,
        "samples": len(samples),
        "data": [{"name": Path(file).name, "sha256": file_sha256(Path(file))} for file in config.data],
        "seed": config.seed,
        "batch": config.batch_size * config.grad_accum,
        "lr": config.lr,
        "lr_lm": config.lr_lm,
        "precision": config.precision,
        "code": safety_core.__version__,
        "eval": dict(metrics),
        "from": dict(spec.provenance),
    }
    save_checkpoint(
        model,
        out,
        policy=load_policy(start / POLICY_FILE, spec.taxonomy),
        provenance=provenance,
        model_card=_card(out.name, provenance),
        include_backbone=config.include_backbone,
    )


def _card(name: str, provenance: Mapping[str, object]) -> str:
    rows = "\n".join(f"| {field} | {value} |" for field, value in provenance.items() if field not in ("from", "data"))
    return (
        f"# {name}\n\nSafety modules trained by `safevlm train`. **Not evaluated and not calibrated yet:** its policy "
        f"is the one it started from.\n\n| | |\n|---|---|\n{rows}\n"
    )
