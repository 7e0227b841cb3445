"""Pictures with lettering that the modules are trained on: what the picture alone shows, and the words read in it.

The safety head sees a picture through a tower that reads no letters, so the picture of a text or a document is harmless
by itself: an empty form looks like one that is filled in. What the lettering says is judged as words: read, framed and
joined with the prompt as in serving (:mod:`safety_core.lettering.framing`).
Deterministic for a plan; knows no model.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from safety_core.data.raw_samples import NamedLabel
from safety_core.lettering.framing import frame_lettering
from safety_core.small.build.reading_noise import imitate_reading
from safety_core.small.build.word_samples import WordSample
from safety_core.small.lettering_plan.planning import PlannedPicture
from safety_core.small.lettering_plan.rules import SAFE

_LONGEST_READING = 240
"""Characters of lettering that is trained on together with a prompt; serving judges longer ones in parts."""

_LONGEST_DOCUMENT = 600
"""Characters of a document that is trained on as words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedSample:
    """A picture with lettering, a prompt, and the label of what they show, with or without their letters."""

    id: str
    picture: PlannedPicture
    prompt: str
    label: NamedLabel
    picture_label: NamedLabel
    prompt_label: NamedLabel
    """Label of the prompt alone; harmless without one."""


def list_read_samples(pictures: Iterable[PlannedPicture], *, seed: int) -> Iterator[WordSample]:
    """List the texts of pictures with the prompts beside them, as the head reads both."""
    for picture in pictures:
        if len(picture.text) > _LONGEST_READING:
            continue
        for index, pair in enumerate(picture.pairs):
            if pair.prompt:
                rng = random.Random(f"{seed}/{picture.id}/{index}")
                text = frame_lettering(imitate_reading(picture.text, rng), pair.prompt)
                yield WordSample(id=f"read/{picture.id}#{index}", text=text, label=pair.label, source="rendered")


def list_document_samples(documents: Iterable[PlannedPicture], *, seed: int) -> Iterator[WordSample]:
    """List what is read in documents, filled in and empty, alone and with prompts, as the head reads it."""
    for document in documents:
        rng = random.Random(f"{seed}/{document.id}")
        if len(document.text) > _LONGEST_DOCUMENT:
            continue
        alone = document.label if document.person is not None else SAFE
        texts = [("framed", frame_lettering(imitate_reading(document.text, rng)), alone)]
        if rng.random() < 0.5:
            texts.append(("bare", imitate_reading(document.text, rng), alone))
        for index, pair in enumerate(document.pairs):
            if pair.prompt:
                text = frame_lettering(imitate_reading(document.text, rng), pair.prompt)
                texts.append((str(index), text, pair.label))
        for name, text, label in texts:
            yield WordSample(id=f"document/{document.id}#{name}", text=text, label=label, source="documents")


def list_rendered_samples(pictures: Iterable[PlannedPicture], *, read: bool) -> Iterator[RenderedSample]:
    """List pictures with the prompts beside them.

    Args:
        pictures: the pictures.
        read: whether labels say what can be read, as a whole guard is calibrated and measured; or what can be seen
            without reading, as the head is trained on pictures.
    """
    for picture in pictures:
        shown = picture.label if read else SAFE
        for index, pair in enumerate(picture.pairs):
            own = pair.own if pair.prompt else SAFE
            seen = max(shown, own, key=lambda label: label[1])
            yield RenderedSample(
                id=f"rendered/{picture.id}#{index}",
                picture=picture,
                prompt=pair.prompt,
                label=pair.label if read and pair.prompt else seen,
                picture_label=shown,
                prompt_label=own,
            )
