"""Prepares the examples of a report: reads the items again, and renders small pictures and heatmaps of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from safety_core.dataset_audit.duplicates.signatures import crop_padding
from safety_core.dataset_audit.reporting.candidates import Candidate
from safety_core.dataset_audit.sources.item import AuditItem, clean_text, read_picture
from safety_core.dataset_audit.sources.source import Source
from safety_core.engine.guard import Guard
from safety_core.engine.messages import GuardRequest
from safety_core.engine.work import JudgedRequest
from safety_core.errors import EngineError, ImageError, InputError
from safety_core.inputs.images.decoding import DecodedImage, decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.policy.named_policies import ActivePolicy

_LONG_SIDE = 224
"""Longest side of a small picture in pixels, as of a heatmap."""

_LONGEST_TEXT = 600
"""Characters of a text that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplePicture:
    """A picture of an example."""

    url: str
    """The small picture as a data URL."""

    heatmap: str | None
    """Attention of the head as a PNG data URL, to be laid over the picture."""

    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An item that a report shows."""

    place: str
    unsafe: float
    surface: str
    decision: str
    text: str
    """The user's words, shortened; empty if there are none."""

    pictures: tuple[ExamplePicture, ...] = ()


class ExampleMaker:
    """Makes examples of candidates.

    Args:
        source: the items.
        guard: the guard of the audit.
        policy: the policy in force; the guard's own if None.
    """

    def __init__(self, source: Source, guard: Guard, policy: ActivePolicy | None) -> None:
        self._source = source
        self._guard = guard
        self._policy = policy
        self._limits = guard.info.limit_images(ImageLimits())

    def make_example(self, candidate: Candidate) -> Example:
        """Read an item again and judge it with heatmaps; what has changed meanwhile is shown without content."""
        item = next(iter(self._source.stream(candidate.cursor)), None)
        turns = () if item is None else item.turns
        words = clean_text("\n".join(turn.text[:_LONGEST_TEXT] for turn in turns if turn.role == "user"))
        return Example(
            place=candidate.place,
            unsafe=candidate.unsafe,
            surface=candidate.surface,
            decision=candidate.decision,
            text=words if len(words) < _LONGEST_TEXT else f"{words[:_LONGEST_TEXT]} […]",
            pictures=() if item is None else self._make_pictures(item),
        )

    def _make_pictures(self, item: AuditItem) -> tuple[ExamplePicture, ...]:
        try:
            images = [self._decode(item, index) for index in range(len(item.pictures))]
        except ImageError:
            return ()
        heatmaps = self._find_heatmaps(item, images)
        return tuple(_make_picture(image, heatmap) for image, heatmap in zip(images, heatmaps, strict=True))

    def _decode(self, item: AuditItem, index: int) -> DecodedImage:
        content = read_picture(item.pictures[index], self._limits.max_bytes)
        return decode_image(content, limits=self._limits, fill=self._guard.info.pad_colour)

    def _find_heatmaps(self, item: AuditItem, images: Sequence[DecodedImage]) -> list[str | None]:
        if not images:
            return []
        request = GuardRequest(images=tuple(images), turns=item.turns, heatmap=True, policy=self._policy)
        try:
            (judged,) = self._guard.judge([self._guard.prepare(request)])
        except (InputError, EngineError):
            return [None] * len(images)
        if not isinstance(judged, JudgedRequest) or len(judged.verdict.per_image) != len(images):
            return [None] * len(images)
        return [assessment.heatmap for assessment in judged.verdict.per_image]


def _make_picture(image: DecodedImage, heatmap: str | None) -> ExamplePicture:
    small = crop_padding(image)
    scale = _LONG_SIDE / max(small.size)
    width, height = (max(1, round(side * scale)) for side in small.size)
    buffer = BytesIO()
    # Encoded anew, so that the page contains pixels and nothing else of the file.
    small.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=80)
    url = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return ExamplePicture(url=url, heatmap=heatmap, width=width, height=height)
