"""The samples of a run: reads, checks and filters them, and builds the data sets for training and evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from safety_core.data.jsonl import read_jsonl_files
from safety_core.data.sample_images import build_image_table, drop_unreadable
from safety_core.data.samples import Sample
from safety_core.errors import SampleError
from safety_core.model.safe_llava import SafeLlava
from safety_core.taxonomy import Taxonomy
from safety_core.training.batches.corpus import Corpus
from safety_core.training.batches.dataset import BatchDataset
from safety_core.training.batches.encoding import drop_too_long, encode_texts
from safety_core.training.batches.feature_cache import FeatureCache
from safety_core.training.batches.plan import plan_batches
from safety_core.training.batches.prompt_cache import PromptCache
from safety_core.training.batches.vision_sources import LiveImages, VisionSource
from safety_core.training.config import TrainConfig
from safety_core.training.losses.head_loss import ClassWeights

_LISTED_ERRORS = 20
"""Largest number of errors that one message lists."""


@dataclass(frozen=True, slots=True)
class SampleSet:
    """Samples of a run, and the errors of the records that were skipped."""

    samples: tuple[Sample, ...]
    skipped: tuple[SampleError, ...]


def read_samples(files: Sequence[str], taxonomy: Taxonomy, config: TrainConfig) -> SampleSet:
    """Read samples, and decode every image once to check it.

    Raises:
        SampleError: a record is malformed or an image unreadable, and ``skip_bad`` is off.
    """
    result = read_jsonl_files(files, taxonomy, skip_bad=config.skip_bad)
    readable, unreadable = drop_unreadable(result.samples)
    if unreadable and not config.skip_bad:
        raise _combine_errors(unreadable)
    return SampleSet(readable, (*result.bad, *unreadable))


def select_trainable(sample_set: SampleSet, config: TrainConfig) -> SampleSet:
    """Select the samples that train the language model's part.

    Stage 1's tokens stand in front of images: a text alone has no gradient for them.
    """
    selected = tuple(
        sample
        for sample in sample_set.samples
        if sample.answer is not None and (config.stage == 2 or bool(sample.images))
    )
    return SampleSet(selected, sample_set.skipped)


def skip_too_long(sample_set: SampleSet, model: SafeLlava, config: TrainConfig, *, train_lm: bool) -> SampleSet:
    """Skip samples that are too long for the model; without ``skip_bad``, building the data set raises their error."""
    if not config.skip_bad:
        return sample_set
    fitting, errors = drop_too_long(model, sample_set.samples, train_lm=train_lm)
    return SampleSet(fitting, (*sample_set.skipped, *errors))


def build_training_set(
    model: SafeLlava, samples: Sequence[Sample], config: TrainConfig, *, train_head: bool, train_lm: bool
) -> BatchDataset:
    """Build the batches of the whole run."""
    corpus = _build_corpus(model, samples, config, train_head=train_head, train_lm=train_lm)
    planned = plan_batches(
        corpus.groups,
        corpus.lengths,
        batch_size=config.batch_size,
        epochs=config.epochs,
        batches=None if config.max_steps is None else config.max_steps * config.grad_accum,
        share=config.share_images,
        seed=config.seed,
    )
    return BatchDataset(
        corpus,
        planned,
        accumulate=config.grad_accum,
        surface_weight=config.surface_weight,
        hint_dropout=config.hint_dropout,
        seed=config.seed,
    )


def build_evaluation_set(
    model: SafeLlava, samples: Sequence[Sample], config: TrainConfig, *, train_head: bool, train_lm: bool
) -> BatchDataset | None:
    """Build the data set to measure on, as one optimizer step; None if the config names no files."""
    if not config.eval_data:
        return None
    corpus = _build_corpus(model, samples, config, train_head=train_head, train_lm=train_lm)
    planned = plan_batches(corpus.groups, corpus.lengths, batch_size=config.batch_size, share=config.share_images)
    return BatchDataset(corpus, planned, accumulate=len(planned), surface_weight=0.0)


def fill_prompt_cache(model: SafeLlava, samples: Sequence[Sample], config: TrainConfig) -> PromptCache | None:
    """Read all texts with the first layers, if the config names a cache; None if there are none, or they learn."""
    if config.cache_features is None or not model.config.prompt_layers or model.prompt_reader.learns:
        return None
    cache = PromptCache(config.cache_features, model)
    texts = [encode_texts(model, sample) for sample in samples]
    with torch.autocast(model.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        cache.fill(texts, progress=config.progress)
    return cache


def compute_class_weights(config: TrainConfig, samples: Sequence[Sample], taxonomy: Taxonomy) -> ClassWeights:
    """Compute the class weights of the head's loss from the samples' labels."""
    num_types, num_levels = len(taxonomy.types), len(taxonomy.levels)
    if config.class_weights == "none":
        return ClassWeights.create_even(num_types, num_levels)
    labels = [sample.label for sample in samples]
    return ClassWeights.create_balanced(
        [label.type for label in labels], [label.level for label in labels], num_types, num_levels
    )


def _build_corpus(
    model: SafeLlava, samples: Sequence[Sample], config: TrainConfig, *, train_head: bool, train_lm: bool
) -> Corpus:
    """Build the corpus of a run, with features from the cache if the config names one."""
    table = build_image_table(samples)
    source: VisionSource = LiveImages(table, model)
    if config.cache_features is not None:
        cache = FeatureCache(config.cache_features, model)
        cache.fill(table, progress=config.progress)
        source = cache.bind(table)
    return Corpus(model, samples, table, source, train_head=train_head, train_lm=train_lm)


def _combine_errors(errors: Sequence[SampleError]) -> SampleError:
    """Combine several errors into one that lists the first ones; its place is that of the first."""
    first, *others = errors
    if not others:
        return first
    named = [f"{error.file}:{error.line}: {error.field}: {error.message}" for error in others[:_LISTED_ERRORS]]
    rest = len(others) - len(named)
    lines = "".join(f"\n  {line}" for line in (*named, *([f"and {rest} more"] if rest else [])))
    return SampleError(
        f"{first.message}; {len(errors)} records have such an image, see also:{lines}",
        file=first.file,
        line=first.line,
        field=first.field,
    )
