"""Pictures with lettering that the modules are trained on: what the picture alone shows, and the words read in it.

The safety head sees a picture through a tower that reads no letters, so the picture of a text has the label of what it
looks like: harmless, but for documents of persons, which are recognised as such. What the lettering says is judged as
words: read, framed and joined with the prompt as in serving (:mod:`safety_core.lettering.framing`).
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedSample:
    """A picture with lettering, a prompt, and the label of what they show without their letters."""

    id: str
    picture: PlannedPicture
    prompt: str
    label: NamedLabel
    picture_label: NamedLabel


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


def list_rendered_samples(pictures: Iterable[PlannedPicture]) -> Iterator[RenderedSample]:
    """List pictures with the prompts beside them, by what can be seen without reading."""
    for picture in pictures:
        shown = picture.label if picture.person is not None else SAFE
        for index, pair in enumerate(picture.pairs):
            own = pair.own if pair.prompt else SAFE
            yield RenderedSample(
                id=f"rendered/{picture.id}#{index}",
                picture=picture,
                prompt=pair.prompt,
                label=max(shown, own, key=lambda label: label[1]),
                picture_label=shown,
            )
