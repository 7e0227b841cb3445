"""Trains the nano's projector and language model from random weights on the frozen tower's features.

The model is naive on purpose: it refuses requests that are harmful by their words, and never learns that pictures can
be harmful. Knows nothing of safety modules.
Shapes: P pictures · N patches · V tower width.
"""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from transformers import LlavaForConditionalGeneration

from safety_core.errors import DivergedError
from safety_core.nano.pretrain.language.losses import compute_answer_loss, compute_naming_loss
from safety_core.nano.pretrain.language.rows import QuestionRow
from safety_core.nano.pretrain.language.standardisation import FeatureStandardisation
from safety_core.nano.pretrain.optimization import Optimization
from safety_core.nano.pretrain.precision import use_32_bit_attention, use_mixed_precision
from safety_core.nano.pretrain.recipes import LanguageRecipe
from safety_core.nano.pretrain.resume_points import LOG_FILE, RESUME_FILE, append_log, load_resume, save_resume


def schedule_learning_rate(step: int, recipe: LanguageRecipe) -> float:
    """Compute the share of the peak learning rate: linear warm-up, then linear to zero; times 0.3 after the drop.

    With a thousand answer tokens per step, once words are learned, the noise at the full rate exceeds further progress.
    Polishing is a second run at the lower rate.
    """
    if step >= recipe.steps:
        done = step - recipe.steps
        return min((done + 1) / recipe.warmup, 1 - done / recipe.polish_steps) * 0.3
    return min((step + 1) / recipe.warmup, 1 - step / recipe.steps) * (1.0 if step < recipe.drop_at else 0.3)


def train_language_model(
    model: LlavaForConditionalGeneration,
    recipe: LanguageRecipe,
    batches: Callable[[int], Iterator[list[QuestionRow]]],
    features_PNV: npt.NDArray[np.float16],
    standardise: FeatureStandardisation,
    out: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> LlavaForConditionalGeneration:
    """Train (or resume) projector and language model; the tower is frozen.

    Args:
        model: the untrained model with the trained tower.
        recipe: size and length.
        batches: generates the batches from a given step on, equal in every run.
        features_PNV: the tower's features of all training pictures.
        standardise: standardisation of the features; folded into the projector at the end.
        out: working folder for the log and the resume point.
        progress: called with (step, steps).
    """
    out.mkdir(parents=True, exist_ok=True)
    model.model.vision_tower.requires_grad_(False)
    optimization = Optimization(
        model,
        (".layers.", "multi_modal_projector."),
        lr=recipe.lr,
        adam_lr=recipe.adam_lr,
        device=model.device.type,
    )
    with use_32_bit_attention(model.model.language_model):
        _train(model, optimization, recipe, batches, features_PNV, standardise, out, progress)
    standardise.fold(model.model.multi_modal_projector.linear_1)
    return model


def _train(
    model: LlavaForConditionalGeneration,
    optimization: Optimization,
    recipe: LanguageRecipe,
    batches: Callable[[int], Iterator[list[QuestionRow]]],
    features_PNV: npt.NDArray[np.float16],
    standardise: FeatureStandardisation,
    out: Path,
    progress: Callable[[int, int], None] | None,
) -> None:
    first = load_resume(out / RESUME_FILE, model, optimization.optimizers)
    started = time.monotonic()
    mean_loss = mean_right = 0.0
    for step, batch in zip(range(first, recipe.total_steps), batches(first), strict=False):
        # The second run keeps the word embeddings, which the safety head reads.
        model.get_input_embeddings().requires_grad_(step < recipe.steps)
        optimization.set_learning_rate(schedule_learning_rate(step, recipe))
        with use_mixed_precision(model.device.type):
            loss, right = compute_answer_loss(model, batch, features_PNV, standardise)
            naming = compute_naming_loss(model, batch, features_PNV, standardise)
        (loss + recipe.naming_weight * naming).backward()
        optimization.step()
        rate = 1.0 if step == first else 0.03
        mean_loss += rate * (loss.item() - mean_loss)
        mean_right += rate * (right - mean_right)
        if not math.isfinite(mean_loss):
            raise DivergedError(f"language training diverged at step {step}")
        if step % 25 == 24 or step == recipe.total_steps - 1:
            seconds = round(time.monotonic() - started, 1)
            record = {
                "step": step + 1,
                "loss": round(mean_loss, 4),
                "naming": round(naming.item(), 4),
                "tokens_right": round(mean_right, 4),
                "seconds": seconds,
            }
            append_log(out / LOG_FILE, record)
        if step % 100 == 99 or step == recipe.total_steps - 1:
            save_resume(out / RESUME_FILE, model, optimization.optimizers, step + 1)
        if progress is not None:
            progress(step + 1, recipe.total_steps)
