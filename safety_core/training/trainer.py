"""transformers' Trainer for a training stage: its settings, its batches, and what it saves, clips and logs.

The Trainer's loop, schedules, mixed precision, accumulation and resuming are used as they are. A frozen backbone needs
two changes: resumable states hold only the parameters that learn, and gradients are clipped group by group.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from safety_core.training.batches.dataset import BatchDataset, TrainingBatch
from safety_core.training.config import TrainConfig
from safety_core.training.losses.stage_loss import StageLoss
from safety_core.training.parameter_groups import ParameterGroups, clip_gradients, create_optimizer

_WEIGHTS_FILE = "learned.safetensors"


def create_arguments(config: TrainConfig, folder: Path, steps: int, device: torch.device) -> TrainingArguments:
    """Create the Trainer's settings for a run of ``steps`` optimizer steps whose states go into ``folder``."""
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=config.grad_accum,
        num_train_epochs=1,
        learning_rate=config.lr,
        lr_scheduler_type=config.schedule,
        warmup_steps=config.count_warmup_steps(steps),
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
    # Several GPUs in one process would split the batches, which are planned as a whole.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


class StageTrainer(Trainer):
    """A Trainer that takes the run's batches in order and saves only the parameters that learn.

    Args:
        loss: the module to train.
        groups: the parameters to train.
        config: the run's config.
        args: the Trainer's own settings; its clipping must be off.
        dataset: the run's batches.
        callbacks: additional callbacks.
    """

    def __init__(
        self,
        loss: StageLoss,
        groups: ParameterGroups,
        config: TrainConfig,
        *,
        args: TrainingArguments,
        dataset: BatchDataset,
        callbacks: Sequence[TrainerCallback],
    ) -> None:
        self.loss_module, self.groups = loss, groups
        self.norms: dict[str, float] = {}
        super().__init__(
            model=loss,
            args=args,
            train_dataset=dataset,
            optimizers=(create_optimizer(groups, config), None),
            callbacks=[_GradientClipping(self, groups, config), *callbacks],
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[TrainingBatch]:
        """Load the batches in their planned order, so that a resumed run can skip the first ones."""
        assert isinstance(self.train_dataset, BatchDataset)
        loader: DataLoader[TrainingBatch] = DataLoader(
            self.train_dataset,
            batch_size=1,
            shuffle=False,
            collate_fn=_unwrap_batch,
            num_workers=self.args.dataloader_num_workers,
        )
        prepared: DataLoader[TrainingBatch] = self.accelerator.prepare(loader)
        return prepared

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the parts of the loss and the gradient norms to each log line of the training loop."""
        if "loss" in logs:
            logs |= self.loss_module.meter.drain() | self.norms
        super().log(logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        learned = {name: parameter.detach().cpu().contiguous() for name, parameter in self.groups.all.items()}
        save_file(learned, folder / _WEIGHTS_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        saved, learned = load_file(Path(resume_from_checkpoint) / _WEIGHTS_FILE), self.groups.all
        if saved.keys() != learned.keys():
            raise ValueError(f"the state holds {len(saved)} tensors, the run trains {len(learned)} others")
        with torch.no_grad():
            for name, parameter in learned.items():
                parameter.copy_(saved[name])


class _GradientClipping(TrainerCallback):
    """Clips each parameter group by its own norm, before the optimizer's step."""

    def __init__(self, trainer: StageTrainer, groups: ParameterGroups, config: TrainConfig) -> None:
        self._trainer, self._groups, self._config = trainer, groups, config

    def on_pre_optimizer_step(self, *_args: object, **_kwargs: object) -> None:
        # With fp16 the gradients still carry the loss scale here.
        self._trainer.accelerator.unscale_gradients(self._trainer.optimizer)
        self._trainer.norms = clip_gradients(self._groups, self._config)


def _unwrap_batch(items: list[TrainingBatch]) -> dict[str, TrainingBatch]:
    """Unwrap the only item, which is a whole batch; the Trainer expects named arguments."""
    (batch,) = items
    return {"batch": batch}
