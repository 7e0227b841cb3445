"""The steps of the alignment: samples, start of the projector, training, projector; and the measurement of a model.

    OUT/train.jsonl, train/               samples for the projector and for stage 2, and their collages
    OUT/development.jsonl, development/   samples to choose settings by
    OUT/features/                         the tower's features
    OUT/start.safetensors                 the projector before training
    OUT/run/                              state and log of the training
    OUT/projector.safetensors             the trained projector

Every step may be interrupted and is then continued, or done again with the same result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import Sample
from safety_core.errors import InputError
from safety_core.model.checkpoint.checkpoint import SPEC_FILE, load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.measuring.answers import answer_items
from safety_core.small.alignment.measuring.figures import Figure, compute_figures
from safety_core.small.alignment.measuring.items import list_items
from safety_core.small.alignment.naming.things import Thing
from safety_core.small.alignment.projector.bare_model import load_bare_model, quicken_language_model
from safety_core.small.alignment.projector.grouped_attention import use_grouped_attention
from safety_core.small.alignment.projector.imagined import Imagination
from safety_core.small.alignment.projector.recipe import Recipe
from safety_core.small.alignment.projector.start import embed_names, fit_words, rank_names, start_projector
from safety_core.small.alignment.projector.tower_features import TowerFeatures, get_classifier, see_classes
from safety_core.small.alignment.projector.training import (
    STATE_FILE,
    ProjectorTraining,
    TrainingData,
    prepare_corpus,
    save_projector,
)
from safety_core.small.alignment.samples.photos import CLASS_SET, Photo, describe_photos, list_classes
from safety_core.small.alignment.samples.writing import write_samples
from safety_core.small.corpus.loading import Corpus, load_records
from safety_core.small.corpus.records import Record, Split
from safety_core.small.corpus.sources import SOURCES
from safety_core.small.parts.llava_projector import PROJECTOR_FILE, read_projector
from safety_core.taxonomy import DEFAULT_TAXONOMY

START_FILE, RUN_DIR, FEATURES_DIR = "start.safetensors", "run", "features"

SEED = 20

_DEVELOPMENT_SHARE = 0.05
"""Development samples as a share of the training samples."""

_FEWEST = 60
"""Smallest number of development samples."""

_WORDS_ONLY = ("person", "unknowable")
"""Kinds of answers that no projector can teach; they are for stage 2."""

_SCALED_BY = 256
"""Photographs whose features give the scale of the start."""

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Photographs:
    """Photographs of a folder, and the names of the tower's classes."""

    corpus: Corpus
    classes: tuple[Thing, ...]
    features: TowerFeatures

    def describe(self, model: SafeLlava, split: Split) -> list[Photo]:
        """Collect what is known about the harmless photographs of a split, also by what the tower sees in them."""
        records = self.list_records(split)
        return describe_photos(
            records, self.classes, see_classes(model, records, self.features) if self.classes else {}
        )

    def describe_by_labels(self, split: Split) -> list[Photo]:
        """Collect what the sets say about the harmless photographs of a split: no tower shall grade its own model."""
        return describe_photos(self.list_records(split), self.classes, {})

    def list_records(self, split: Split) -> list[Record]:
        """List the harmless photographs of a split; those to train on only from sets that the alignment may use."""
        return [
            record
            for record in self.corpus.list_split(split)
            if record.photo is not None
            and record.label is not None
            and record.label[1] == 0
            and (split == "test" or "alignment" in SOURCES[record.source].uses)
        ]


def write_alignment_samples(
    model: SafeLlava, data: Path, out: Path, *, total: int, say: Say = print
) -> tuple[Path, Path]:
    """Write the samples of both splits; returns their files.

    Args:
        model: a model with the tower that names photographs.
        data: folder of the public sets.
        out: build folder.
        total: number of training samples.
        say: receives lines for people.

    Raises:
        InputError: the folder has no photographs.
    """
    photographs = _read_photographs(model, data, out)
    measured = max(_FEWEST, round(total * _DEVELOPMENT_SHARE))
    return (
        _write_split(model, photographs, "train", out, total=total, say=say),
        _write_split(model, photographs, "development", out, total=measured, say=say),
    )


def align(
    backbone: Path, data: Path, out: Path, recipe: Recipe, *, total: int, device: str = "cpu", say: Say = print
) -> Path:
    """Train the projector of a backbone; returns its file.

    Args:
        backbone: the assembled backbone.
        data: folder of the public sets.
        out: build folder.
        recipe: settings of the training.
        total: number of training samples.
        device: device of the model.
        say: receives lines for people.

    Raises:
        InputError: the folder has no photographs.
        CheckpointError: there is no such backbone.
    """
    out.mkdir(parents=True, exist_ok=True)
    model = load_bare_model(backbone, device=device)
    train_file, development_file = write_alignment_samples(model, data, out, total=total, say=say)
    photographs = _read_photographs(model, data, out)
    if not (out / RUN_DIR / STATE_FILE).exists():
        _start(model, photographs, say)
        save_projector(model.backbone.model.multi_modal_projector, out / START_FILE)
    quicken_language_model(model)
    use_grouped_attention(model.backbone.model.language_model)
    cache = photographs.features.cache
    corpora = TrainingData(
        train=prepare_corpus(model, _read_samples(train_file), cache),
        development=prepare_corpus(model, _read_samples(development_file), cache),
    )
    imagination = None
    if photographs.classes:
        imagination = Imagination(model, get_classifier(model), photographs.classes)
    training = ProjectorTraining(model, corpora, recipe, out / RUN_DIR, imagination=imagination, say=say)
    training.run()
    save_projector(training.projector, out / PROJECTOR_FILE)
    say(f"{out / PROJECTOR_FILE}: trained; copy it into the checkpoint and give `safevlm parts fetch`")
    return out / PROJECTOR_FILE


def measure_model(
    folder: Path,
    data: Path,
    out: Path,
    *,
    projector: Path | None = None,
    split: Split = "test",
    limit: int | None = None,
    device: str = "cpu",
) -> list[Figure]:
    """Measure what a model names in photographs that it was not trained on.

    Args:
        folder: a checkpoint, or a bare backbone.
        data: folder of the public sets.
        out: build folder, for features.
        projector: file of a projector to use in place of the backbone's.
        split: ``development`` or ``test``.
        limit: largest number of questions in a row of the report.
        device: device of the model.

    Raises:
        InputError: the folder has no photographs of this split.
        CheckpointError: there is no such model, or the projector does not fit.
    """
    is_checkpoint = (folder / SPEC_FILE).is_file()
    model = load_checkpoint(folder, device=device) if is_checkpoint else load_bare_model(folder, device=device)
    if projector is not None:
        load_projector(model, projector)
    photographs = _read_photographs(model, data, out)
    measured, trained = photographs.describe_by_labels(split), photographs.describe_by_labels("train")
    items = list_items(measured, [photo for photo in trained if photo.id.startswith(f"{CLASS_SET}/")], limit=limit)
    quicken_language_model(model)
    return compute_figures(items, answer_items(model, items))


@torch.no_grad()
def load_projector(model: SafeLlava, file: Path) -> None:
    """Replace a model's projector; raises CheckpointError if the file's does not fit."""
    dims, projector = model.dims, model.backbone.model.multi_modal_projector
    tensors = read_projector(file, vision_width=dims.vision_width * len(dims.vision_layers), llm_width=dims.llm_width)
    for name, tensor in tensors.items():
        projector.get_parameter(name.partition(".")[2]).copy_(tensor)


def _write_split(model: SafeLlava, photographs: _Photographs, split: Split, out: Path, *, total: int, say: Say) -> Path:
    photos = photographs.describe(model, split)
    file = out / f"{split}.jsonl"
    written = write_samples(photos, file, total=total, seed=SEED)
    say(f"{file}: {written} samples about {len(photos)} photographs")
    return file


def _read_photographs(model: SafeLlava, data: Path, out: Path) -> _Photographs:
    corpus = load_records(data)
    classes = list_classes(corpus.records, get_classifier(model).out_features)
    return _Photographs(corpus=corpus, classes=classes, features=TowerFeatures(model, out / FEATURES_DIR))


def _read_samples(file: Path) -> Sequence[Sample]:
    """Read the samples that a projector can learn from; raises InputError if there are none."""
    samples = read_jsonl(file, DEFAULT_TAXONOMY).samples
    learnable = [sample for sample in samples if not sample.id.startswith(_WORDS_ONLY)]
    if not learnable:
        raise InputError(f"{file}: no photograph has anything that could be asked about", code="data_missing")
    return learnable


def _start(model: SafeLlava, photographs: _Photographs, say: Say) -> None:
    """Start the projector by regression, and say how many development photographs it names."""
    if not photographs.classes:
        say("start: at random, since the photographs do not name each class of the tower")
        return
    projector = model.backbone.model.multi_modal_projector
    words_CD = embed_names(model, photographs.classes)
    scaled_by = [record.photo for record in photographs.list_records("train") if record.photo][:_SCALED_BY]
    map_VD = fit_words(get_classifier(model).weight.detach(), words_CD)
    before = _measure_names(model, photographs, words_CD)
    start_projector(projector, map_VD, words_CD, photographs.features.read(scaled_by))
    after = _measure_names(model, photographs, words_CD)
    say(f"start: nearest name right for {after:.1%} of development photographs, {before:.1%} at random")


def _measure_names(model: SafeLlava, photographs: _Photographs, words_CD: torch.Tensor) -> float:
    """Measure the share of labelled development photographs whose nearest name has the right label."""
    labels = [thing.label for thing in photographs.classes]
    shown = [
        (record.photo, record.topic)
        for record in photographs.list_records("development")
        if record.source == CLASS_SET and record.photo is not None
    ]
    if not shown:
        return 0.0
    feat_BNV = photographs.features.read([path for path, _ in shown])
    nearest: list[int] = rank_names(model.backbone.model.multi_modal_projector, words_CD, feat_BNV)[:, 0].tolist()
    right = sum(labels[place] == label for place, (_, label) in zip(nearest, shown, strict=True))
    return right / len(shown)
