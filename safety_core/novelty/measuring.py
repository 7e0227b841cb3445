"""Measures how well novelty tells unfamiliar inputs from familiar ones: AUROC, and the share beyond a threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import yaml

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import ConfigError, InputError
from safety_core.evaluation.statistics.classification import build_auroc
from safety_core.evaluation.statistics.estimates import Bootstrap, Estimate
from safety_core.inputs.conversation import Turn
from safety_core.model.modules.novelty import FamiliarInputs
from safety_core.model.safe_llava import SafeLlava
from safety_core.novelty.drawn_pictures import PICTURES
from safety_core.novelty.features import AverageFeatures, Report, average_sample_images, average_sample_texts

LANGUAGES_FILE = Path(__file__).with_name("assets") / "languages.yaml"

LANGUAGES = "languages"
"""Name of the set of texts in other languages than English."""

DRAWN = 200
"""Pictures of each drawn set."""

THRESHOLDS = (0.95, 0.99)
"""Novelties whose share of inputs is reported."""

Kind = Literal["texts", "images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoveltyFigures:
    """The figures of one set of unfamiliar inputs."""

    name: str
    kind: Kind

    auroc: Estimate
    """Probability that an unfamiliar input has a larger novelty than a familiar one."""

    beyond: Mapping[float, float]
    """Threshold → share of the set with at least this novelty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoveltyReport:
    """Figures of all sets, and what share of familiar inputs is taken for unfamiliar."""

    familiar: Mapping[Kind, Mapping[float, float]]
    """Threshold → share of the familiar inputs of each kind with at least this novelty."""

    counts: Mapping[Kind, int]
    """Number of familiar inputs."""

    sets: tuple[NoveltyFigures, ...]


def measure(
    model: SafeLlava,
    familiar: Sequence[Sample],
    novel: Mapping[str, Sequence[Sample]],
    *,
    seed: int = 0,
    resamples: int = 1000,
    report: Report = lambda done, total: None,
) -> NoveltyReport:
    """Measure the novelty of familiar inputs and of sets of unfamiliar ones.

    Args:
        model: a model with familiar inputs.
        familiar: samples that nothing was fitted on.
        novel: name → samples of a set; its images are measured where it has any, its texts otherwise.
        seed: seed of the bootstrap.
        resamples: draws of the bootstrap.
        report: receives the progress.

    Raises:
        ConfigError: the model has no familiar inputs, or a set is empty.
        SampleError: an image cannot be read.
    """
    if model.novelty is None:
        raise ConfigError("novelty: the checkpoint does not measure it; fit it first")
    inputs: dict[Kind, FamiliarInputs] = {"texts": model.novelty.texts, "images": model.novelty.images}
    average: dict[Kind, Callable[[Sequence[Sample]], AverageFeatures]] = {
        "texts": lambda samples: average_sample_texts(model, samples, report),
        "images": lambda samples: average_sample_images(model, samples, report),
    }

    def rank(kind: Kind, samples: Sequence[Sample], name: str) -> list[float]:
        features = average[kind](samples)
        if not features.lengths:
            raise ConfigError(f"novelty: {name} has no {kind}")
        device = inputs[kind].mean_D.device
        return inputs[kind].measure_novelty(features.values_BD.to(device), features.lengths)

    sets = {name: ("images" if any(one.images for one in samples) else "texts") for name, samples in novel.items()}
    kinds: list[Kind] = [kind for kind in ("texts", "images") if kind in sets.values()]
    known = {kind: rank(kind, familiar, "the familiar set") for kind in kinds}
    figures = []
    for name, samples in novel.items():
        kind: Kind = "images" if sets[name] == "images" else "texts"
        scores = rank(kind, samples, name)
        figures.append(
            NoveltyFigures(
                name=name,
                kind=kind,
                auroc=_estimate_auroc(known[kind], scores, seed, resamples),
                beyond=_count_beyond(scores),
            )
        )
    return NoveltyReport(
        familiar={kind: _count_beyond(scores) for kind, scores in known.items()},
        counts={kind: len(scores) for kind, scores in known.items()},
        sets=tuple(figures),
    )


def _estimate_auroc(familiar: Sequence[float], novel: Sequence[float], seed: int, resamples: int) -> Estimate:
    scores_P = np.array([*familiar, *novel])
    positive_P = np.arange(len(scores_P)) >= len(familiar)
    statistic = build_auroc(scores_P, positive_P, np.ones(len(scores_P), dtype=bool))
    bootstrap = Bootstrap(range(len(scores_P)), seed=seed, resamples=resamples)
    return bootstrap.estimate(statistic, n=len(scores_P))


def _count_beyond(scores: Sequence[float]) -> dict[float, float]:
    return {threshold: sum(score >= threshold for score in scores) / len(scores) for threshold in THRESHOLDS}


def list_languages() -> dict[str, list[str]]:
    """List texts in languages other than English, by ISO 639-1 code; they were written for this project."""
    content: dict[str, list[str]] = yaml.safe_load(LANGUAGES_FILE.read_text(encoding="utf-8"))
    return content


def load_set(name: str, model: SafeLlava, folder: Path) -> dict[str, list[Sample]]:
    """Load a set of unfamiliar inputs.

    Args:
        name: ``languages``, a drawn set (:data:`PICTURES`), or ``NAME=FILE`` with a JSONL file of samples.
        model: the model whose labels the file has.
        folder: an empty folder for drawn pictures.

    Returns:
        Name → samples; of languages also each of them.

    Raises:
        InputError: there is no such set.
        SampleError: the file is malformed.
    """
    if name == LANGUAGES:
        languages = list_languages()
        every = [text for texts in languages.values() for text in texts]
        by_name = {LANGUAGES: every, **{f"{LANGUAGES}/{code}": texts for code, texts in languages.items()}}
        return {
            one: [_create_sample(f"{one}-{index}", text=text) for index, text in enumerate(texts)]
            for one, texts in by_name.items()
        }
    if name in PICTURES:
        samples = []
        for number in range(DRAWN):
            path = folder / f"{name}-{number}.png"
            PICTURES[name](number).save(path)
            samples.append(_create_sample(path.stem, image=path))
        return {name: samples}
    title, separator, file = name.partition("=")
    if not separator or not title:
        known = ", ".join((LANGUAGES, *PICTURES))
        raise InputError(f"novel: one of {known} or NAME=FILE is needed, got {name!r}", code="unknown_set")
    return {title: list(read_jsonl(Path(file), model.taxonomy).samples)}


def _create_sample(name: str, *, text: str | None = None, image: Path | None = None) -> Sample:
    return Sample(
        id=name,
        images=() if image is None else (image,),
        conversation=() if text is None else (Turn(role="user", text=text),),
        label=RiskLabel(type=0, level=0),
    )


def format_report(report: NoveltyReport) -> str:
    """Format the figures as a Markdown table."""
    head = ["set", "inputs", "AUROC", *(f"novelty ≥ {threshold}, %" for threshold in THRESHOLDS)]
    rows = [head, ["---"] * len(head)]
    for kind, beyond in report.familiar.items():
        shares = [f"{100 * beyond[threshold]:.1f}" for threshold in THRESHOLDS]
        rows.append([f"familiar {kind}, held out", str(report.counts[kind]), "–", *shares])
    for one in report.sets:
        estimate = one.auroc
        value = f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
        shares = [f"{100 * one.beyond[threshold]:.1f}" for threshold in THRESHOLDS]
        rows.append([f"{one.name}", str(estimate.n - report.counts[one.kind]), value, *shares])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
