"""The loss of a training stage as a module: the head's and the language model's loss of one batch.

Shapes: R rows of the head · B images · M safety features of an image · D LLM width · F features of a row · T ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from safety_core.model.head_inputs import Prompt
from safety_core.model.modules.head import HeadOutput
from safety_core.model.prompt_reader import PromptStates
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.assembly import gather_features
from safety_core.model.vision.tower import VisionFeatures
from safety_core.training.batches.corpus import Surface
from safety_core.training.batches.dataset import BatchDataset, HeadRow, TrainingBatch
from safety_core.training.batches.prompt_cache import PromptCache
from safety_core.training.config import TrainConfig
from safety_core.training.losses.answer_loss import compute_answer_loss
from safety_core.training.losses.head_loss import ClassWeights, HeadLoss, compute_head_loss


class Meter:
    """Means of values over the forward passes between two log lines."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._passes = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the values of one forward pass; a missing name counts as zero."""
        self._passes += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value.detach()

    def drain(self) -> dict[str, float]:
        """Return the means since the last call."""
        means = {name: float(total) / self._passes for name, total in self._sums.items()}
        self._sums, self._passes = {}, 0
        return means


class StageLoss(nn.Module):
    """Computes the loss of a batch, and adds its parts to the meter.

    Args:
        model: the model to train.
        config: gives λ, label smoothing and whether images are shared.
        classes: class weights of the head's loss.
        prompts: the states of the users' texts on disk; None to read the texts in every step.
    """

    def __init__(
        self, model: SafeLlava, config: TrainConfig, classes: ClassWeights, prompts: PromptCache | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.prompts = prompts
        self.lambda_ = config.lambda_
        self.label_smoothing = config.label_smoothing
        self.feature_dropout = config.feature_dropout
        self.share = config.share_images > 1
        self.classes = classes.to(model.device)
        self.meter = Meter()

    def train(self, mode: bool = True) -> "StageLoss":
        """Switch to training mode; the frozen vision tower and projector stay in evaluation mode."""
        super().train(mode)
        self.model.backbone.model.vision_tower.eval()
        self.model.backbone.model.multi_modal_projector.eval()
        return self

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Compute ``{"loss": LM + λ·(type + level)}``, each part a mean over the optimizer step."""
        vision = None
        if batch.vision is not None:
            vision = batch.vision.resolve(self.model, project=bool(batch.encoded))
        total = torch.zeros((), device=self.model.device)
        parts: dict[str, Tensor] = {}
        if any(batch.head.values()):
            loss, accuracies = self._compute_head_loss(batch.head, vision)
            total = total + self.lambda_ * loss.total
            parts |= {"type_loss": loss.type, "level_loss": loss.level} | ({} if self.training else accuracies)
        if batch.encoded:
            lm = (
                compute_answer_loss(self.model, batch.encoded, vision, batch.images, share=self.share) * batch.lm_weight
            )
            total = total + lm
            parts["lm_loss"] = lm
        self.meter.add(parts)
        return {"loss": total}

    def _compute_head_loss(
        self, head: Mapping[Surface, Mapping[HeadRow, float]], vision: VisionFeatures | None
    ) -> tuple[HeadLoss, dict[str, Tensor]]:
        """Run the head once for each surface, and the projector once for each image.

        Returns:
            The loss, and for type and level the summed weights of the rows that were classified correctly.
        """
        if vision is not None and self.training and self.feature_dropout:
            vision = replace(vision, layers=tuple(drop_channels(feat, self.feature_dropout) for feat in vision.layers))
        safe_BMD = None if vision is None else self.model.project_features(vision)
        device = self.model.device
        total = HeadLoss(torch.zeros((), device=device), torch.zeros((), device=device))
        accuracies = {name: torch.zeros((), device=device) for name in ("type_accuracy", "level_accuracy")}
        for rows in (rows for rows in head.values() if rows):
            output = self._run_head(list(rows), safe_BMD)
            types_R = torch.tensor([row.label.type for row in rows], device=device)
            levels_R = torch.tensor([row.label.level for row in rows], device=device)
            weights_R = torch.tensor(list(rows.values()), device=device)
            part = compute_head_loss(
                output, types_R, levels_R, weights_R, classes=self.classes, label_smoothing=self.label_smoothing
            )
            total = HeadLoss(total.type + part.type, total.level + part.level)
            accuracies["type_accuracy"] += ((output.type_logits_BC.argmax(1) == types_R) * weights_R).sum()
            accuracies["level_accuracy"] += ((output.level_logits_BL.argmax(1) == levels_R) * weights_R).sum()
        return total, accuracies

    def _run_head(self, rows: Sequence[HeadRow], safe_BMD: Tensor | None) -> HeadOutput:
        texts, images = [row.ids for row in rows], [row.images for row in rows]
        prompts = self._read_prompts(texts) if any(texts) else None
        if safe_BMD is None or not any(images):
            return self.model.compute_head_logits(None, prompts)
        safe_BFD, safe_mask_BF = gather_features(safe_BMD, images)
        return self.model.compute_head_logits(safe_BFD, prompts, safe_mask_BF)

    def _read_prompts(self, texts: Sequence[Prompt]) -> PromptStates:
        return self.model.prompt_reader.read(texts) if self.prompts is None else self.prompts.read(texts)


def drop_channels(feat_BNV: Tensor, share: float) -> Tensor:
    """Zero a share of the channels of each image, and scale the others up."""
    kept_B1V = torch.rand(len(feat_BNV), 1, feat_BNV.shape[-1], device=feat_BNV.device) >= share
    return feat_BNV * kept_B1V / max(1.0 - share, 1e-6)


@torch.no_grad()
def measure(loss: StageLoss, dataset: BatchDataset) -> dict[str, float]:
    """Measure losses and accuracies over a whole data set, as ``eval_…``.

    The data set must be one optimizer step without surface weight, so that its weights make means over its samples.
    """
    training, meter = loss.training, loss.meter
    loss.meter = Meter()
    loss.eval()
    try:
        for number in range(len(dataset)):
            loss(batch=dataset[number].to(loss.model.device))
        return {f"eval_{name}": value for name, value in loss.meter.drain().items()}
    finally:
        loss.meter = meter
        loss.train(training)
