"""Trains the nano's vision tower, a CLIP vision transformer, from random weights with dense labels per patch.

The labels of a patch describe its centre: the thing, letter or word there, the word's position in reading order, the
colour, the background, the cell, and whether a thing or a word has its centre there. The last three are what a language
model needs to read in order, to name places and to count. Training shows letters first, since words are learned from
them; an earlier layer has a letter head too, so that later layers can assemble words. Knows nothing of risk or language
models.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import CLIPVisionModel

from safety_core.errors import DivergedError
from safety_core.nano.pretrain.optimization import Optimization
from safety_core.nano.pretrain.precision import use_32_bit_attention, use_mixed_precision
from safety_core.nano.pretrain.recipes import VisionRecipe
from safety_core.nano.pretrain.resume_points import LOG_FILE, RESUME_FILE, append_log, load_resume, save_resume
from safety_core.nano.pretrain.vision.batches import generate_batches
from safety_core.nano.pretrain.vision.loss import compute_dense_loss, measure_patch_accuracy
from safety_core.nano.pretrain.vision.tower import DenseTower


def schedule_learning_rate(step: int, steps: int, warmup: int) -> float:
    """Compute the share of the peak learning rate: linear warm-up, flat, then linear to zero in the last 40 percent."""
    return min((step + 1) / warmup, 1.0, max(0.0, (steps - step) / (0.4 * steps)))


def train_tower(
    recipe: VisionRecipe,
    out: Path,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> CLIPVisionModel:
    """Train (or resume) the tower and return it; ``out`` receives a resume point and a log.

    Args:
        recipe: size and length.
        out: working folder of this training.
        device: device of the training.
        progress: called with (step, steps).
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    model = DenseTower(recipe).to(device)
    optimization = Optimization(model, (".layers.",), lr=recipe.lr, adam_lr=recipe.adam_lr, device=device)
    with use_32_bit_attention(model.tower):
        _train(recipe, model, optimization, out, device, progress)
    return model.tower


def _train(
    recipe: VisionRecipe,
    model: DenseTower,
    optimization: Optimization,
    out: Path,
    device: str,
    progress: Callable[[int, int], None] | None,
) -> None:
    first = load_resume(out / RESUME_FILE, model, optimization.optimizers)
    started = time.monotonic()
    running = 0.0
    for step, (pixels, targets) in zip(range(first, recipe.steps), generate_batches(recipe, first), strict=False):
        optimization.set_learning_rate(schedule_learning_rate(step, recipe.steps, recipe.warmup))
        targets = {name: target.to(device) for name, target in targets.items()}
        with use_mixed_precision(device):
            logits = model(pixels.to(device))
        logits = {name: each.float() for name, each in logits.items()}
        loss = compute_dense_loss(logits, targets)
        loss.backward()
        optimization.step()
        running = loss.item() if step == first else 0.98 * running + 0.02 * loss.item()
        if not math.isfinite(running):
            raise DivergedError(f"vision training diverged at step {step}")
        if step % 50 == 49 or step == recipe.steps - 1:
            record = {"step": step + 1, "loss": round(running, 4), "seconds": round(time.monotonic() - started, 1)}
            record |= {name: round(value, 4) for name, value in measure_patch_accuracy(logits, targets).items()}
            append_log(out / LOG_FILE, record)
        if step % 200 == 199 or step == recipe.steps - 1:
            save_resume(out / RESUME_FILE, model, optimization.optimizers, step + 1)
        if progress is not None:
            progress(step + 1, recipe.steps)
