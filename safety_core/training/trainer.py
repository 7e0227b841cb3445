"""transformers' Trainer around the two losses: the module it steps, and what it saves, clips and logs.

The Trainer's loop, schedules, mixed precision, accumulation and resuming are used as they are. Changed is only what a
frozen backbone asks for: resumable states hold the parameters that learn and no others, and gradients are clipped group
by group.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from safety_core.model.modules.head import HeadOutput
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.assembly import gather_features, pad_ids
from safety_core.model.vision.tower import VisionFeatures
from safety_core.training.batches import Batch, BatchDataset, HeadRow, Surface
from safety_core.training.config import TrainConfig
from safety_core.training.losses import ClassWeights, HeadLoss, head_loss
from safety_core.training.packing import answer_loss
from safety_core.training.stages import Groups, clip, optimizer_for

WEIGHTS_FILE = "learned.safetensors"


class Meter:
    """Running means over the forward passes between two log lines."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._passes = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Take the values of one forward pass; a name that is missing counts as zero."""
        self._passes += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value.detach()

    def drain(self) -> dict[str, float]:
        """The means since the last call."""
        means = {name: float(total) / self._passes for name, total in self._sums.items()}
        self._sums, self._passes = {}, 0
        return means


class Losses(nn.Module):
    """A batch in, the loss out; its parts go to the meter.

    Args:
        model: the model that learns.
        config: λ, label smoothing and the use of shared pictures.
        classes: class weights of the head's losses.
    """

    def __init__(self, model: SafeLlava, config: TrainConfig, classes: ClassWeights) -> None:
        super().__init__()
        self.model = model
        self.lambda_ = config.lambda_
        self.label_smoothing = config.label_smoothing
        self.share = config.share_images > 1
        self.classes = classes.to(model.device)
        self.meter = Meter()

    def train(self, mode: bool = True) -> "Losses":
        """Training mode for what learns; the frozen vision side stays as it serves."""
        super().train(mode)
        self.model.backbone.model.vision_tower.eval()
        self.model.backbone.model.multi_modal_projector.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """``{"loss": LM + λ·(type + level)}``, each a mean over what the optimizer step holds."""
        vision = None
        if batch.vision is not None:
            vision = batch.vision.resolve(self.model, project=bool(batch.encoded))
        total = torch.zeros((), device=self.model.device)
        parts: dict[str, Tensor] = {}
        if any(batch.head.values()):
            loss, right = self._head(batch.head, vision)
            total = total + self.lambda_ * loss.total
            parts |= {"type_loss": loss.type, "level_loss": loss.level} | ({} if self.training else right)
        if batch.encoded:
            lm = answer_loss(self.model, batch.encoded, vision, batch.images, share=self.share) * batch.lm_weight
            total = total + lm
            parts["lm_loss"] = lm
        self.meter.add(parts)
        return {"loss": total}

    def _head(
        self, head: Mapping[Surface, Mapping[HeadRow, float]], vision: VisionFeatures | None
    ) -> tuple[HeadLoss, dict[str, Tensor]]:
        """Joint rows, picture rows and word rows, each kind in one pass; the projector runs once for each picture.

        The second value is the weight of what was named rightly, surfaces with theirs.
        """
        safe_BMD = None if vision is None else self.model.project_features(vision)
        device = self.model.device
        total = HeadLoss(torch.zeros((), device=device), torch.zeros((), device=device))
        right = {name: torch.zeros((), device=device) for name in ("type_accuracy", "level_accuracy")}
        for rows in (rows for rows in head.values() if rows):
            output = self._judge(list(rows), safe_BMD)
            types_R = torch.tensor([row.label.type for row in rows], device=device)
            levels_R = torch.tensor([row.label.level for row in rows], device=device)
            weights_R = torch.tensor(list(rows.values()), device=device)
            part = head_loss(
                output, types_R, levels_R, weights_R, classes=self.classes, label_smoothing=self.label_smoothing
            )
            total = HeadLoss(total.type + part.type, total.level + part.level)
            right["type_accuracy"] += ((output.type_logits_BC.argmax(1) == types_R) * weights_R).sum()
            right["level_accuracy"] += ((output.level_logits_BL.argmax(1) == levels_R) * weights_R).sum()
        return total, right

    def _judge(self, rows: Sequence[HeadRow], safe_BMD: Tensor | None) -> HeadOutput:
        words, shown = [row.ids for row in rows], [row.images for row in rows]
        ids_BT, mask_BT = pad_ids(words, device=self.model.device) if any(words) else (None, None)
        if safe_BMD is None or not any(shown):
            return self.model.compute_head_logits(None, ids_BT, mask_BT)
        safe_BFD, safe_mask_BF = gather_features(safe_BMD, shown)
        return self.model.compute_head_logits(safe_BFD, ids_BT, mask_BT, safe_mask_BF)


@torch.no_grad()
def measure(losses: Losses, dataset: BatchDataset) -> dict[str, float]:
    """Losses and accuracies over a whole data set, as ``eval_…``.

    The data set must be one optimizer step without surface weight, so that its weights make means over its pairs.
    """
    training, meter = losses.training, losses.meter
    losses.meter = Meter()
    losses.eval()
    try:
        for number in range(len(dataset)):
            losses(batch=dataset[number].to(losses.model.device))
        return {f"eval_{name}": value for name, value in losses.meter.drain().items()}
    finally:
        losses.meter = meter
        losses.train(training)


class StageTrainer(Trainer):
    """A Trainer whose data set is the run's batches, in order, and whose states hold only what learns.

    Args:
        losses: the module to step.
        groups: the parameters that learn.
        config: the run's config.
        args: the Trainer's own settings; its clipping must be off.
        dataset: the run's batches.
        callbacks: what else happens during the run.
    """

    def __init__(
        self,
        losses: Losses,
        groups: Groups,
        config: TrainConfig,
        *,
        args: TrainingArguments,
        dataset: BatchDataset,
        callbacks: Sequence[TrainerCallback],
    ) -> None:
        self.losses, self.groups = losses, groups
        self.norms: dict[str, float] = {}
        super().__init__(
            model=losses,
            args=args,
            train_dataset=dataset,
            optimizers=(optimizer_for(groups, config), None),
            callbacks=[_ClipGroups(self, groups, config), *callbacks],
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[Batch]:
        """The batches in their planned order: nothing is shuffled here, so that skipping is resuming."""
        assert isinstance(self.train_dataset, BatchDataset)
        loader: DataLoader[Batch] = DataLoader(
            self.train_dataset,
            batch_size=1,
            shuffle=False,
            collate_fn=_only,
            num_workers=self.args.dataloader_num_workers,
        )
        prepared: DataLoader[Batch] = self.accelerator.prepare(loader)
        return prepared

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the parts of the loss and the gradient norms to each log line of the training loop."""
        if "loss" in logs:
            logs |= self.losses.meter.drain() | self.norms
        super().log(logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        learned = {name: parameter.detach().cpu().contiguous() for name, parameter in self.groups.all.items()}
        save_file(learned, folder / WEIGHTS_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        saved, learned = load_file(Path(resume_from_checkpoint) / WEIGHTS_FILE), self.groups.all
        if saved.keys() != learned.keys():
            raise ValueError(f"the state holds {len(saved)} tensors, the run learns {len(learned)} others")
        with torch.no_grad():
            for name, parameter in learned.items():
                parameter.copy_(saved[name])


class _ClipGroups(TrainerCallback):
    """Clip each parameter group by itself, right before the optimizer steps."""

    def __init__(self, trainer: StageTrainer, groups: Groups, config: TrainConfig) -> None:
        self._trainer, self._groups, self._config = trainer, groups, config

    def on_pre_optimizer_step(self, *_args: object, **_kwargs: object) -> None:
        # With fp16 the gradients still carry the loss scale here.
        self._trainer.accelerator.unscale_gradients(self._trainer.optimizer)
        self._trainer.norms = clip(self._groups, self._config)


def _only(items: list[Batch]) -> dict[str, Batch]:
    """A data set's item is a whole batch already; the Trainer wants named arguments."""
    (batch,) = items
    return {"batch": batch}
