"""Trains LLaVA's projector alone, through the frozen language model, on samples with answers.

Batches, packing and loss are those of ``safevlm train``; only what learns differs. A killed run continues from its last
state. The tower's features come from a cache, so the tower does not run.
Shapes: B images · N places · V features of a place.
"""

import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from safety_core.data.sample_images import build_image_table
from safety_core.data.samples import Sample
from safety_core.model.checkpoint.tensor_files import convert_to_storage
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures
from safety_core.small.alignment.projector.imagined import Imagination
from safety_core.small.alignment.projector.recipe import Recipe
from safety_core.training.batches.corpus import Corpus
from safety_core.training.batches.dataset import BatchDataset, TrainingBatch
from safety_core.training.batches.feature_cache import FeatureCache
from safety_core.training.batches.plan import plan_batches
from safety_core.training.losses.answer_loss import compute_answer_loss

STATE_FILE, LOG_FILE = "state.bin", "log.jsonl"

PREFIX = "multi_modal_projector."
"""Prefix of the projector's tensors in ``projector.safetensors``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Samples to learn from, and samples to measure the loss on."""

    train: Corpus
    development: Corpus


def prepare_corpus(model: SafeLlava, samples: Sequence[Sample], cache: FeatureCache) -> Corpus:
    """Compute the features of the samples' pictures, and the lengths of their prompts.

    Raises:
        SampleError: a picture is unreadable, a sample has no answer, or a prompt is too long.
    """
    for sample in samples:
        if sample.answer is None or not sample.images:
            raise sample.create_error("a picture and an answer are needed", "conversations")
    table = build_image_table(samples)
    cache.fill(table, progress=True)
    return Corpus(model, samples, table, cache.bind(table), train_head=False, train_lm=True)


class ProjectorTraining:
    """One run.

    Args:
        model: a bare model; its projector learns, everything else is frozen.
        data: the samples.
        recipe: the settings.
        folder: folder of the state and the log.
        imagination: imagines pictures of every class; None for none.
        say: receives a line for people at each measurement.
    """

    def __init__(
        self,
        model: SafeLlava,
        data: TrainingData,
        recipe: Recipe,
        folder: Path,
        *,
        imagination: Imagination | None = None,
        say: Callable[[str], object] = print,
    ) -> None:
        self._model, self._recipe, self._folder, self._say = model, recipe, folder, say
        self._imagination = imagination
        self.projector: nn.Module = model.backbone.model.multi_modal_projector
        corpus = data.train
        planned = plan_batches(
            corpus.groups,
            corpus.lengths,
            batch_size=recipe.batch_size,
            batches=recipe.steps,
            share=recipe.share,
            seed=recipe.seed,
        )
        self._batches = BatchDataset(corpus, planned)
        named = (index for index, sample in enumerate(corpus.samples) if sample.id.startswith("name/"))
        self._subjects = sorted({corpus.table.rows[index][0] for index in named})
        lengths = data.development.lengths
        self._measured = BatchDataset(
            data.development,
            plan_batches(data.development.groups, lengths, batch_size=recipe.batch_size, share=recipe.share),
        )
        self._tokens = int(data.development.answer_tokens.sum())
        self._parameters = list(self.projector.parameters())
        self._optimizer = torch.optim.AdamW(self._parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)

    def run(self) -> dict[str, float]:
        """Train to the end and return the last development loss, in nats per token of an answer."""
        recipe = self._recipe
        self._folder.mkdir(parents=True, exist_ok=True)
        start = self._resume()
        self.projector.requires_grad_(True)
        loss, began = math.nan, time.process_time()
        total, counted = 0.0, 0
        for step in range(start, recipe.steps):
            if step % recipe.eval_steps == 0:
                loss = self._report(step, total / max(1, counted), time.process_time() - began)
                total, counted = 0.0, 0
            total += self._step(step)
            counted += 1
            if (step + 1) % recipe.save_steps == 0:
                self._save(step + 1)
        loss = self._report(recipe.steps, total / max(1, counted), time.process_time() - began)
        self.projector.requires_grad_(False)
        return {"loss": loss}

    @torch.no_grad()
    def measure(self) -> float:
        """Measure the development loss, in nats per token of an answer."""
        batches = (self._measured[number] for number in range(len(self._measured)))
        # Weights make each batch's loss a mean over its own tokens.
        return sum(float(self._compute_loss(batch)) / batch.lm_weight for batch in batches) / max(1, self._tokens)

    def _step(self, step: int) -> float:
        recipe = self._recipe
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.lr * compute_share(step, recipe)
        loss = self._compute_loss(self._batches[step])
        loss.backward()
        if self._imagination is not None and recipe.imagined:
            self._compute_imagined_loss(self._imagination, step).backward()
        nn.utils.clip_grad_norm_(self._parameters, recipe.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _compute_loss(self, batch: TrainingBatch) -> Tensor:
        """Compute the mean loss of the answers' tokens of one batch."""
        assert batch.vision is not None
        feat_BNV = batch.vision.layers[-1].to(self._model.device, torch.float32)
        vision = VisionFeatures((feat_BNV,), self.projector(feat_BNV))
        return compute_answer_loss(self._model, batch.encoded, vision, batch.images) * batch.lm_weight

    def _compute_imagined_loss(self, imagination: Imagination, step: int) -> Tensor:
        """Compute the loss of imagined pictures, with the weight of as many samples of the step."""
        recipe = self._recipe
        rng = random.Random(f"{recipe.seed}/{step}")
        rows = rng.sample(self._subjects, min(recipe.imagined, len(self._subjects)))
        stored = self._batches.corpus.source.fetch(rows)
        feat_BNV = stored.layers[-1].to(self._model.device, torch.float32)
        batch = imagination.imagine(feat_BNV, f"{recipe.seed}/{step}")
        vision = VisionFeatures((batch.feat_BNV,), self.projector(batch.feat_BNV))
        images = [(row,) for row in range(len(rows))]
        tokens = sum(end - start for start, end in (one.answer_span or (0, 0) for one in batch.encoded))
        weight = recipe.imagined / recipe.batch_size / tokens
        return compute_answer_loss(self._model, batch.encoded, vision, images) * weight

    def _report(self, step: int, train_loss: float, seconds: float) -> float:
        loss = self.measure()
        record = {"step": step, "loss": round(train_loss, 4), "development_loss": round(loss, 4)}
        with (self._folder / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(json.dumps(record | {"seconds": round(seconds)}) + "\n")
        self._say(f"step {step}: loss {train_loss:.4f}, development {loss:.4f}, {seconds:.0f} s")
        return loss

    def _save(self, step: int) -> None:
        """Write a state; if the process is killed meanwhile, the old one remains."""
        state = {"projector": self.projector.state_dict(), "optimizer": self._optimizer.state_dict(), "step": step}
        partial = self._folder / f"{STATE_FILE}.partial"
        torch.save(state, partial)
        partial.replace(self._folder / STATE_FILE)

    def _resume(self) -> int:
        """Load the state if there is one; returns the next step."""
        file = self._folder / STATE_FILE
        if not file.exists():
            return 0
        state = torch.load(file, map_location="cpu", weights_only=True)
        self.projector.load_state_dict(state["projector"])
        self._optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])


def compute_share(step: int, recipe: Recipe) -> float:
    """Share of the peak learning rate at a step: a linear rise, then a cosine to zero."""
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return (1 + math.cos(math.pi * done)) / 2


def save_projector(projector: nn.Module, file: Path) -> None:
    """Write a projector in 16 bit, as the assembly of the backbone reads it.

    Raises:
        ValueError: a weight is not finite in 16 bit.
    """
    tensors = {f"{PREFIX}{name}": tensor for name, tensor in projector.state_dict().items()}
    partial = file.with_suffix(".partial")
    save_file(convert_to_storage(tensors, torch.float16), partial)
    partial.replace(file)
