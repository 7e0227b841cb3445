"""Plans the batches of a whole run before the first step.

The plan is a function of groups, lengths, config and seed alone. A resumed run therefore only skips the batches that
were trained on before. Knows no samples and no torch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_POOL_BATCHES = 32
"""Batches whose samples are sorted by length together."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """The samples of one forward pass."""

    samples: tuple[int, ...]
    """Indices of the samples."""

    epoch: int


def plan_batches(
    groups: Sequence[Sequence[int]],
    lengths: Sequence[int],
    *,
    batch_size: int,
    epochs: float = 1.0,
    batches: int | None = None,
    share: int = 1,
    seed: int = 0,
) -> list[MicroBatch]:
    """Plan the batches of a run, epoch after epoch.

    Samples of a group (prompts of one image) stay side by side, at most ``share`` of them. Batches hold samples of
    similar length. The order of groups, samples and batches is shuffled in every epoch.

    Args:
        groups: indices of samples that share their images.
        lengths: cost of each sample, in any unit.
        batch_size: samples in a batch; the last batch of an epoch may have fewer.
        epochs: passes over the samples; of a fractional last pass, only that share of the shuffled batches is kept.
        batches: number of batches, in place of ``epochs``.
        share: largest number of samples of a group that stay together.
        seed: seed of the order.
    """
    planned: list[MicroBatch] = []
    epoch = 0
    while epoch < epochs if batches is None else len(planned) < batches:
        random = np.random.default_rng((seed, epoch))
        chunks: list[list[int]] = []
        for group in groups:
            shuffled = [group[i] for i in random.permutation(len(group))]
            chunks += [shuffled[start : start + share] for start in range(0, len(shuffled), share)]
        order = [chunks[i] for i in random.permutation(len(chunks))]
        cut: list[list[int]] = []
        for pool in _group_into_pools(order, _POOL_BATCHES * batch_size):
            pool.sort(key=lambda chunk: max(lengths[index] for index in chunk))
            flat = [index for chunk in pool for index in chunk]
            cut += [flat[start : start + batch_size] for start in range(0, len(flat), batch_size)]
        part = 1.0 if batches is not None else min(1.0, epochs - epoch)
        kept = random.permutation(len(cut))[: math.ceil(part * len(cut))]
        planned += [MicroBatch(tuple(cut[i]), epoch) for i in kept]
        epoch += 1
    return planned[:batches]


def _group_into_pools(chunks: Sequence[list[int]], size: int) -> list[list[list[int]]]:
    """Group consecutive chunks into pools of at least ``size`` samples; the last pool may have fewer."""
    pools: list[list[list[int]]] = [[]]
    held = 0
    for chunk in chunks:
        if held >= size:
            pools.append([])
            held = 0
        pools[-1].append(chunk)
        held += len(chunk)
    return pools
