"""From samples to batches: what each step of a run sees, decided once and in full before the first step.

The whole run is one list of batches over all epochs, a function of data, config and seed alone. Resuming after a kill
is then nothing but skipping the first batches, and hint dropout needs no random state of its own.
Knows no optimizer; the model serves only as tokenizer and taxonomy.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from safety_core.data.sample_images import ImageTable
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import PromptError, SampleError
from safety_core.inputs.prompts import EncodedPrompt
from safety_core.model.hints import find_hint
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.book import Hints
from safety_core.taxonomy import Taxonomy
from safety_core.training.vision_features import VisionInput, VisionSource

Surface = Literal["joint", "image", "text"]
POOL_BATCHES = 32


@dataclass(frozen=True, slots=True)
class HeadRow:
    """One row for the head: some pictures, some words, and what it should say about them."""

    images: tuple[int, ...]
    """Rows of the batch's pictures."""

    ids: tuple[int, ...]
    """Token ids of the user's words."""

    label: RiskLabel


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything one forward pass needs; weights already divide by what the whole optimizer step holds."""

    vision: VisionInput | None
    """The distinct pictures of the batch."""

    head: Mapping[Surface, Mapping[HeadRow, float]]
    """Rows for the head by what they show, with their weights; equal rows are merged."""

    encoded: tuple[EncodedPrompt, ...]
    """Prompts with answers for the language model."""

    images: tuple[tuple[int, ...], ...]
    """Rows of the batch's pictures for each prompt."""

    lm_weight: float
    """What the summed loss of the answer tokens is multiplied by."""

    def to(self, device: torch.device, non_blocking: bool = False) -> "Batch":
        """The same batch with its tensors elsewhere; accelerate calls this."""
        return self if self.vision is None else replace(self, vision=self.vision.to(device))


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Which samples one forward pass sees."""

    samples: tuple[int, ...]
    epoch: int


def plan(
    groups: Sequence[Sequence[int]],
    lengths: Sequence[int],
    *,
    batch_size: int,
    epochs: float = 1.0,
    batches: int | None = None,
    share: int = 1,
    seed: int = 0,
) -> list[MicroBatch]:
    """The batches of a run, epoch after epoch.

    Samples of a group (prompts of one picture) stay side by side, at most ``share`` of them; batches hold rows of
    similar length; the order of everything is shuffled anew in every epoch.

    Args:
        groups: indices of samples that share their pictures.
        lengths: cost of each sample, in any unit.
        batch_size: samples in a batch, fewer in an epoch's last one.
        epochs: passes over the samples; a last part of one is cut off its shuffled batches.
        batches: how many batches to make, in place of ``epochs``.
        share: most samples of a group that stay together.
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
        for pool in _pools(order, POOL_BATCHES * batch_size):
            pool.sort(key=lambda chunk: max(lengths[index] for index in chunk))
            flat = [index for chunk in pool for index in chunk]
            cut += [flat[start : start + batch_size] for start in range(0, len(flat), batch_size)]
        part = 1.0 if batches is not None else min(1.0, epochs - epoch)
        kept = random.permutation(len(cut))[: math.ceil(part * len(cut))]
        planned += [MicroBatch(tuple(cut[i]), epoch) for i in kept]
        epoch += 1
    return planned[:batches]


def _pools(chunks: Sequence[list[int]], size: int) -> list[list[list[int]]]:
    """Consecutive chunks with at least ``size`` samples in all but the last pool."""
    pools: list[list[list[int]]] = [[]]
    held = 0
    for chunk in chunks:
        if held >= size:
            pools.append([])
            held = 0
        pools[-1].append(chunk)
        held += len(chunk)
    return pools


class Corpus:
    """Samples with their pictures and the token counts that plans and weights need.

    Args:
        model: the model whose tokenizer and hints apply.
        samples: what to learn from.
        table: the samples' pictures.
        source: where the pictures come from.
        train_head: whether batches carry rows for the head.
        train_lm: whether batches carry prompts for the language model.

    Raises:
        SampleError: a prompt is too long for the model, or does not fit its context with pictures and answer.
    """

    def __init__(
        self,
        model: SafeLlava,
        samples: Sequence[Sample],
        table: ImageTable,
        source: VisionSource,
        *,
        train_head: bool,
        train_lm: bool,
    ) -> None:
        self.model, self.samples, self.table, self.source = model, samples, table, source
        self.train_head, self.train_lm = train_head, train_lm
        self.answer_tokens = np.zeros(len(samples), dtype=np.int64)
        lengths = np.zeros(len(samples), dtype=np.int64)
        for index, sample in enumerate(samples):
            if train_lm and sample.answer is not None:
                prompt = self.encode(index, hinted=True)
                assert prompt.answer_span is not None
                self.answer_tokens[index] = prompt.answer_span[1] - prompt.answer_span[0]
                lengths[index] = positions_of(model, prompt)
            else:
                lengths[index] = len(self.words(index)) + model.dims.patches * len(sample.images)
        self.lengths: list[int] = lengths.tolist()

    @property
    def groups(self) -> list[list[int]]:
        """Samples that share their pictures; those without one stand alone."""
        groups: dict[object, list[int]] = {}
        for index, rows in enumerate(self.table.rows):
            groups.setdefault(rows or ("alone", index), []).append(index)
        return list(groups.values())

    def words(self, index: int) -> tuple[int, ...]:
        """Ids of the user's words, as the head reads them; empty where there are none."""
        return words_of(self.model, self.samples[index])

    def encode(self, index: int, *, hinted: bool) -> EncodedPrompt:
        """The prompt as serving would put it, with the answer."""
        return prompt_of(self.model, self.samples[index], hinted=hinted)

    def surfaces(self, index: int) -> list[tuple[Surface, bool, RiskLabel]]:
        """(what is shown, whether it is the pair's own label, label) for each row that the head learns from."""
        sample = self.samples[index]
        pictures, words = bool(sample.images), bool(sample.turns)
        pair: Surface = "joint" if pictures and words else "image" if pictures else "text"
        rows: list[tuple[Surface, bool, RiskLabel]] = [(pair, True, sample.label)]
        if pair == "joint" and sample.image_risk is not None:
            rows.append(("image", False, sample.image_risk))
        if pair == "joint" and sample.text_risk is not None:
            rows.append(("text", False, sample.text_risk))
        return rows


def words_of(model: SafeLlava, sample: Sample) -> tuple[int, ...]:
    """Ids of the user's words; raises SampleError where they are more than the model reads."""
    try:
        return tuple(model.prompts.head_ids(sample.turns)) if sample.turns else ()
    except PromptError as exc:
        raise sample.create_error(exc.message, "conversations") from exc


def prompt_of(model: SafeLlava, sample: Sample, *, hinted: bool) -> EncodedPrompt:
    """The prompt with its answer; raises SampleError if it does not fit the model's context, pictures included."""
    hint = gold_hint(sample.label, model.hints, model.taxonomy) if hinted else None
    try:
        encoded = model.prompts.encode(sample.turns, len(sample.images), hint=hint, answer=sample.answer)
    except PromptError as exc:
        raise sample.create_error(exc.message, "conversations") from exc
    if (length := positions_of(model, encoded)) > model.context_length:
        raise sample.create_error(
            f"with pictures and answer it has {length} positions, but the model's context has {model.context_length}",
            "conversations",
        )
    return encoded


def positions_of(model: SafeLlava, encoded: EncodedPrompt) -> int:
    """Positions of a prompt in the language model, pictures included."""
    return len(encoded.input_ids) + (model.positions_per_image - 1) * len(encoded.image_positions)


def drop_too_long(
    model: SafeLlava, samples: Sequence[Sample], *, train_lm: bool
) -> tuple[tuple[Sample, ...], tuple[SampleError, ...]]:
    """Split samples into those that a :class:`Corpus` takes and the errors of those whose prompts are too long."""
    kept: list[Sample] = []
    errors: list[SampleError] = []
    for sample in samples:
        try:
            words_of(model, sample)
            if train_lm and sample.answer is not None:
                prompt_of(model, sample, hinted=True)
        except SampleError as exc:
            errors.append(exc)
        else:
            kept.append(sample)
    return tuple(kept), tuple(errors)


def gold_hint(label: RiskLabel, hints: Hints, taxonomy: Taxonomy) -> str | None:
    """The hint that serving appends when it cautions for a gold label; the worst level learns a refusal without one."""
    if label.level == len(taxonomy.levels) - 1:
        return None
    return find_hint(hints, taxonomy.types[label.type], label.level)


class BatchDataset(Dataset[Batch]):
    """The run's batches by number, each built when it is asked for.

    Args:
        corpus: samples and pictures.
        planned: the batches of the run.
        accumulate: batches in one optimizer step.
        surface_weight: weight of a surface's mean loss against the pair's.
        hint_dropout: share of hints that are left out.
        seed: seed of the hint dropout.
    """

    def __init__(
        self,
        corpus: Corpus,
        planned: Sequence[MicroBatch],
        *,
        accumulate: int = 1,
        surface_weight: float = 0.5,
        hint_dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.corpus, self.planned, self.accumulate = corpus, planned, accumulate
        self.surface_weight, self.hint_dropout, self.seed = surface_weight, hint_dropout, seed

    def __len__(self) -> int:
        return len(self.planned)

    def __getitem__(self, number: int) -> Batch:
        corpus, batch = self.corpus, self.planned[number]
        rows = [corpus.table.rows[index] for index in batch.samples]
        distinct = sorted({row for sample_rows in rows for row in sample_rows})
        place = {row: position for position, row in enumerate(distinct)}
        images = [tuple(place[row] for row in sample_rows) for sample_rows in rows]
        lm_weight, pair_weight, surface_weights = self._weights(number)
        head: dict[Surface, dict[HeadRow, float]] = {"joint": {}, "image": {}, "text": {}}
        for index, shown in zip(batch.samples, images, strict=True):
            for surface, own, label in corpus.surfaces(index) if corpus.train_head else ():
                weight = pair_weight if own else surface_weights[surface]
                if weight:
                    words = corpus.words(index) if surface != "image" else ()
                    row = HeadRow(shown if surface != "text" else (), words, label)
                    head[surface][row] = head[surface].get(row, 0.0) + weight
        answered = [place for place, index in enumerate(batch.samples) if corpus.answer_tokens[index]]
        return Batch(
            vision=corpus.source.fetch(distinct) if distinct else None,
            head=head,
            encoded=tuple(
                corpus.encode(index, hinted=not self._drops_hint(index, batch.epoch))
                for index in (batch.samples[place] for place in answered)
            ),
            images=tuple(images[place] for place in answered),
            lm_weight=lm_weight,
        )

    def _weights(self, number: int) -> tuple[float, float, dict[Surface, float]]:
        """What each answer token, pair and surface counts, so that an optimizer step is a mean over all of its batches.

        The trainer divides each batch's loss by the number of batches in its step; that is made good here.
        """
        first = number - number % self.accumulate
        step = self.planned[first : first + self.accumulate]
        indices = [index for batch in step for index in batch.samples]
        tokens = int(self.corpus.answer_tokens[indices].sum())
        labelled: dict[Surface, int] = {"joint": 0, "image": 0, "text": 0}
        for surface, own, _ in (row for index in indices for row in self.corpus.surfaces(index)):
            labelled[surface] += not own
        return (
            len(step) / max(1, tokens),
            len(step) / len(indices),
            {surface: self.surface_weight * len(step) / max(1, count) for surface, count in labelled.items()},
        )

    def _drops_hint(self, index: int, epoch: int) -> bool:
        return bool(np.random.default_rng((self.seed, epoch, index)).random() < self.hint_dropout)
