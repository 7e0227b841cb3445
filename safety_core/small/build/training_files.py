"""Writes the training files of safevlm-small: words, and pictures with prompts, as records of :mod:`safety_core.data`.

Rendered pictures are written beside the files once; photographs stay where they are. Deterministic for a corpus and a
seed. Knows no model.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from typing import Any

from rich.progress import track

from safety_core.data.jsonl import write_jsonl
from safety_core.data.raw_samples import NamedLabel
from safety_core.small.build.pasted_photographs import list_pasted_photographs
from safety_core.small.build.photo_samples import PhotoSample, list_photo_samples, read_weapon_prompts
from safety_core.small.build.rendered_samples import (
    list_document_samples,
    list_read_samples,
    list_rendered_samples,
)
from safety_core.small.build.word_samples import WordSample, list_word_samples
from safety_core.small.corpus.loading import Corpus
from safety_core.small.corpus.records import Record
from safety_core.small.lettering_plan.planning import (
    PlannedPicture,
    plan_documents,
    plan_pictures,
    render_planned,
)
from safety_core.small.lettering_plan.prompts import read_picture_prompts
from safety_core.small.lettering_plan.texts import LetteringText, select_prompts, select_texts
from safety_core.small.rendering.kinds import Split
from safety_core.taxonomy import DEFAULT_TAXONOMY

_LONGEST_SIDE = 384
"""Pixels of a rendered picture that is kept for training; the tower sees 260."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Numbers of pictures with lettering."""

    read: int = 1500
    """Risky texts, each with a harmless twin, whose words are trained on together with prompts; not rendered."""

    rendered: int = 450
    """Risky texts, each with a harmless twin, that are rendered."""

    documents: int = 220
    """Documents of made-up persons, each with an empty twin, that are rendered."""

    read_documents: int = 350
    """Documents, each with an empty twin, whose words are trained on; not rendered."""


def write_training_files(
    corpus: Corpus, split: Split, folder: Path, *, amounts: Amounts, seed: int, show: bool = True
) -> dict[str, int]:
    """Write ``words.jsonl``, ``documents.jsonl`` and ``pictures.jsonl`` of a split; returns the numbers of records.

    Args:
        corpus: all records.
        split: which records to use.
        folder: created if missing; pictures that are made go into ``rendered/`` and ``pasted/``.
        amounts: numbers of pictures with lettering.
        seed: chooses prompts, layouts and order.
        show: whether a progress bar is shown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records = corpus.list_split(split)
    photographs = [record for record in records if record.photo is not None]
    plans = _Planner(records, photographs, split, seed)
    words = list_words(corpus, split, amounts=amounts, seed=seed)
    rendered = plans.render([*plans.plan(amounts.rendered), *plans.plan_documents(amounts.documents)], folder, show)
    prompts = [record for record in records if record.text and record.surface in ("prompt", "both") and record.label]
    shown = [*photographs, *list_pasted_photographs(photographs, folder / "pasted", seed=seed)]
    photos = list_photo_samples(shown, prompts, read_weapon_prompts(), seed=seed)
    pictures = [*_format_photos(photos, folder), *_format_rendered(rendered, folder, read=split != "train")]
    counts = {}
    documents = list_documents(corpus, split, amounts=amounts, seed=seed)
    files = {"words": map(_format_words, words), "documents": map(_format_words, documents), "pictures": pictures}
    for name, lines in files.items():
        distinct = list({line["id"]: line for line in lines}.values())
        random.Random(seed).shuffle(distinct)
        counts[name] = write_jsonl(folder / f"{name}.jsonl", distinct)
    return counts


def list_words(corpus: Corpus, split: Split, *, amounts: Amounts, seed: int) -> list[WordSample]:
    """List all texts that the head is trained on with their labels; arguments as for :func:`write_training_files`."""
    records = corpus.list_split(split)
    plans = _Planner(records, [record for record in records if record.photo is not None], split, seed)
    return [*list_word_samples(records, seed=seed), *list_read_samples(plans.plan(amounts.read), seed=seed)]


def list_documents(corpus: Corpus, split: Split, *, amounts: Amounts, seed: int) -> list[WordSample]:
    """List the documents whose words the head is trained on; arguments as for :func:`write_training_files`."""
    records = corpus.list_split(split)
    plans = _Planner(records, [record for record in records if record.photo is not None], split, seed)
    return list(list_document_samples(plans.plan_documents(amounts.read_documents), seed=seed))


class _Planner:
    """Plans the pictures with lettering of a split."""

    def __init__(self, records: Sequence[Record], photographs: Sequence[Record], split: Split, seed: int) -> None:
        self._split, self._seed = split, seed
        self._texts = select_texts(records, split)
        self._others = select_prompts(records, split)
        self._files = {
            record.id: record.photo
            for record in photographs
            if record.photo is not None and record.label is not None and record.label[1] == 0
        }

    def plan(self, risky: int) -> tuple[PlannedPicture, ...]:
        """Plan pictures of ``risky`` texts with their twins."""
        rng = random.Random(f"{self._seed}/{risky}")
        harmful = [text for text in self._texts if text.label[1]]
        harmless = [text for text in self._texts if not text.label[1]]
        chosen: list[LetteringText] = rng.sample(harmful, min(risky, len(harmful)))
        return plan_pictures(
            [*chosen, *harmless],
            list(self._files),
            read_picture_prompts(),
            self._others,
            split=self._split,
            seed=self._seed,
            risky=1,
            harmless=0,
            asked=3,
        )

    def plan_documents(self, count: int) -> tuple[PlannedPicture, ...]:
        """Plan documents with their twins."""
        return plan_documents(
            count, list(self._files), read_picture_prompts(), self._others, split=self._split, seed=self._seed, asked=3
        )

    def render(self, pictures: Iterable[PlannedPicture], folder: Path, show: bool) -> list[PlannedPicture]:
        """Render the pictures that ``folder`` lacks; returns all."""
        folder = folder / "rendered"
        folder.mkdir(exist_ok=True)
        done = []
        for picture in track(list(pictures), "pictures with lettering", disable=not show):
            file = folder / f"{picture.id}.jpg"
            if not file.exists():
                image = render_planned(picture, self._files)
                image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
                image.save(file, quality=90)
            done.append(picture)
        return done


def _format_words(sample: WordSample) -> dict[str, Any]:
    return format_record(sample.id, [], sample.text, sample.label, sample.source)


def _format_photos(samples: Iterable[PhotoSample], folder: Path) -> Iterator[dict[str, Any]]:
    for sample in samples:
        yield format_record(
            sample.id,
            [relpath(sample.photo, folder)],
            sample.prompt,
            sample.label,
            sample.source,
            picture_label=sample.photo_label,
            prompt_label=sample.prompt_label,
        )


def _format_rendered(pictures: Iterable[PlannedPicture], folder: Path, *, read: bool) -> Iterator[dict[str, Any]]:
    for sample in list_rendered_samples(pictures, read=read):
        image = f"rendered/{sample.picture.id}.jpg"
        yield format_record(
            sample.id,
            [image],
            sample.prompt,
            sample.label,
            "rendered",
            picture_label=sample.picture_label,
            prompt_label=sample.prompt_label,
        )


def format_record(
    name: str,
    images: Sequence[str],
    text: str,
    label: NamedLabel,
    source: str,
    *,
    reply: str = "",
    picture_label: NamedLabel | None = None,
    prompt_label: NamedLabel | None = None,
) -> dict[str, Any]:
    """Format one record of :mod:`safety_core.data`; an empty text or reply is left out.

    Args:
        name: id of the record.
        images: paths of its pictures.
        text: the user's words.
        label: type and level of pictures and words together.
        source: the set that the record is of.
        reply: the reply to learn.
        picture_label: type and level of the pictures alone, for a record with words; the head learns both.
        prompt_label: type and level of the words alone, likewise.
    """
    said = (("USER", text), ("ASSISTANT", reply))
    turns: list[Mapping[str, str]] = [{"from": role, "value": value} for role, value in said if value]
    record = {"id": name, "image": list(images), "conversations": turns, **_format_label("safe_", label)}
    for part, own in (("image_risk", picture_label), ("text_risk", prompt_label)):
        if own is not None and text:
            record[part] = _format_label("", own)
    return {**record, "source": source}


def _format_label(prefix: str, label: NamedLabel) -> dict[str, int]:
    return {f"{prefix}type": DEFAULT_TAXONOMY.types.index(label[0]), f"{prefix}level": label[1]}
