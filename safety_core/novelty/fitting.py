"""Fits the distribution of familiar inputs to samples that a checkpoint was trained on.

The Gaussian is fitted to one part of the samples; the quantiles of distances come from others that neither it nor the
modules were fitted on. The checkpoint gets aggregates only: no feature of a single sample.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import Sample
from safety_core.errors import ConfigError
from safety_core.model.checkpoint.checkpoint import load_checkpoint, write_manifest
from safety_core.model.checkpoint.novelty_file import NOVELTY_FILE, write_novelty
from safety_core.model.modules.novelty import QUANTILES, FamiliarInputs, NoveltyDetector
from safety_core.model.safe_llava import SafeLlava
from safety_core.novelty.features import AverageFeatures, Report, average_sample_images, average_sample_texts

DIRECTIONS = 64
"""R, where there are enough samples."""

_PER_DIRECTION = 8
"""Samples for each principal direction, at least."""

_PER_GROUP = 400
"""Samples of each group of lengths, at least: five of them lie beyond the last quantile."""

_LEAST = 200
"""Samples that a distribution needs."""

_RELATIVE_FLOOR = 1e-6
"""Smallest variance, as a share of the largest."""


def fit_checkpoint(
    checkpoint: Path,
    familiar: Sequence[Path],
    held_out: Sequence[Path],
    *,
    limit: int,
    seed: int = 0,
    device: str = "cpu",
    report: Report = lambda done, total: None,
) -> NoveltyDetector:
    """Fit a checkpoint's familiar inputs to JSONL files; writes ``novelty.safetensors`` and the manifest.

    Args:
        checkpoint: directory of the checkpoint.
        familiar: files that the modules were trained on.
        held_out: files of the same sources that they were not trained on.
        limit: number of samples that are drawn from each group of files, for texts and for images.
        seed: seed of the draw.
        device: device of the model.
        report: receives the progress.

    Raises:
        CheckpointError: the checkpoint is damaged or untrained.
        SampleError: a file is malformed.
        ConfigError: there are too few texts or images.
    """
    model = load_checkpoint(checkpoint, device=device)
    drawn = [draw_samples(model, files, limit, seed) for files in (familiar, held_out)]
    detector = fit(model, *drawn, report=report)
    write_novelty(detector, checkpoint / NOVELTY_FILE)
    write_manifest(checkpoint)
    return detector


def draw_samples(model: SafeLlava, files: Sequence[Path], limit: int, seed: int) -> list[Sample]:
    """Draw up to ``limit`` samples with a text, and as many with an image; raises SampleError."""
    samples = [sample for file in files for sample in read_jsonl(file, model.taxonomy).samples]
    random.Random(seed).shuffle(samples)
    without = [sample for sample in samples if not sample.images]
    # One sample for each image: photographs occur with many prompts.
    of_image = {sample.images: sample for sample in samples if sample.images}
    return [*without[:limit], *list(of_image.values())[:limit]]


def fit(
    model: SafeLlava,
    familiar: Sequence[Sample],
    held_out: Sequence[Sample],
    *,
    report: Report = lambda done, total: None,
) -> NoveltyDetector:
    """Fit the familiar inputs of a model; arguments and errors are those of :func:`fit_checkpoint`."""
    texts = [average_sample_texts(model, samples, report) for samples in (familiar, held_out)]
    images = [average_sample_images(model, samples, report) for samples in (familiar, held_out)]
    return NoveltyDetector(
        texts=fit_inputs(*texts, kind="texts"),
        images=fit_inputs(*images, kind="images"),
    )


def fit_inputs(familiar: AverageFeatures, held_out: AverageFeatures, *, kind: str) -> FamiliarInputs:
    """Fit the distribution of one kind of inputs.

    Args:
        familiar: inputs that the Gaussian is fitted to.
        held_out: inputs whose distances are ranked.
        kind: for errors.

    Raises:
        ConfigError: there are too few of either.
    """
    for name, part in (("familiar", familiar), ("held out", held_out)):
        if len(part.lengths) < _LEAST:
            raise ConfigError(f"novelty: {len(part.lengths)} {name} {kind}, at least {_LEAST} are needed")
    mean_D, directions_DR, variance_R, other = _fit_gaussian(familiar.values_BD)
    bounds = _split_lengths(held_out.lengths)
    unranked = FamiliarInputs(
        mean_D=mean_D,
        directions_DR=directions_DR,
        variance_R=variance_R,
        other_variance=other,
        lengths_G=tuple(bounds),
        distances_GQ=np.zeros((len(bounds), len(QUANTILES))),
        tail_G=np.ones(len(bounds)),
    )
    distances = unranked.compute_distances(held_out.values_BD).double().numpy()
    groups = np.minimum(np.searchsorted(bounds, held_out.lengths), len(bounds) - 1)
    rows, tails = [], []
    for group in range(len(bounds)):
        of_group = distances[groups == group]
        quantiles = np.quantile(of_group, QUANTILES)
        excess = of_group[of_group > quantiles[-1]] - quantiles[-1]
        rows.append(quantiles)
        tails.append(max(float(excess.mean()) if len(excess) else 0.0, 1e-3 * float(quantiles[-1])))
    return replace(unranked, distances_GQ=np.stack(rows), tail_G=np.array(tails))


def _fit_gaussian(values_BD: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
    """Fit mean, principal directions, their variances, and the mean variance of all other directions."""
    exact_BD = values_BD.double()
    mean_D = exact_BD.mean(0)
    values_D, vectors_DD = torch.linalg.eigh(torch.cov((exact_BD - mean_D).T))
    variance_D, vectors_DD = values_D.flip(0).clamp_min(_RELATIVE_FLOOR * float(values_D[-1])), vectors_DD.flip(1)
    count = max(1, min(DIRECTIONS, len(exact_BD) // _PER_DIRECTION, len(variance_D) - 1))
    return (
        mean_D.float(),
        vectors_DD[:, :count].float().contiguous(),
        variance_D[:count].float(),
        float(variance_D[count:].mean()),
    )


def _split_lengths(lengths: Sequence[int]) -> list[int]:
    """Split lengths into groups of at least ``_PER_GROUP`` inputs; returns the largest length of each."""
    counts = np.bincount(np.asarray(lengths))
    bounds: list[int] = []
    collected = 0
    for length, count in enumerate(counts.tolist()):
        collected += count
        if collected >= _PER_GROUP:
            bounds.append(length)
            collected = 0
    if not bounds or collected:  # what remains joins the last group
        bounds = [*bounds[:-1], len(counts) - 1]
    return bounds
