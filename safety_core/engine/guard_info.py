"""Describes a guard: its checkpoint and its limits. Knows no torch and no HTTP."""

from dataclasses import dataclass, field, fields, replace
from typing import Self

from safety_core.inputs.images.limits import ImageLimits
from safety_core.inputs.images.views import CLIP_MEAN, Colour
from safety_core.lettering.reading import ReadingLimits
from safety_core.policy.policy import Policy
from safety_core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Why another checkpoint than the configured one is served."""

    wanted: str
    """Name of the configured checkpoint's directory."""

    reason: str
    """Why it is not served, and what changes this; one or two sentences for clients, without paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointNotes:
    """What users are told about a checkpoint; no verdict depends on it."""

    description: str = ""
    """Intended and unsupported uses of the checkpoint, in one or two sentences."""

    is_miniature: bool = False
    """Whether the checkpoint knows a drawn world only, so that photographs say nothing about it."""

    model_card: str = ""
    """The checkpoint's model card, in Markdown; empty if it has none."""

    fallback: Fallback | None = None
    """Why this checkpoint is served instead of the configured one; None if it is the configured one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardInfo(CheckpointNotes):
    """The checkpoint and device of a guard, for ``/v1/models`` and metrics."""

    checkpoint: str
    """Name of the checkpoint directory."""

    backbone: str
    """Name of the backbone: a hub id, or ``included`` if the checkpoint contains it."""

    device: str
    """The device that the model runs on."""

    dtype: str
    """Precision of the backbone, with the kind of quantisation if there is one."""

    taxonomy: Taxonomy
    """The types and levels of risk that the model scores."""

    pad_colour: Colour = CLIP_MEAN
    """The image processor's mean colour in 0..255, with which images must be padded."""

    image_side: int | None = None
    """Side in pixels of the square that the image processor produces; None if unknown."""

    policy: Policy
    """The checkpoint's own policy, which operators' policies modify."""

    positions_per_image: int = 0
    """Positions of one image in the language model, including its safety tokens."""

    generates: bool = True
    """Whether the guard can answer; otherwise it only judges."""

    compares: bool = False
    """Whether the bare language model can answer too, without the guard."""

    reads_lettering: bool = False
    """Whether lettering in images is read and judged."""

    reading_side: int | None = None
    """Longest side in pixels at which images are read; None if they are not."""

    def add_notes(self, notes: CheckpointNotes) -> Self:
        """Return a copy with these notes."""
        return replace(self, **{note.name: getattr(notes, note.name) for note in fields(notes)})

    def limit_images(self, limits: ImageLimits) -> ImageLimits:
        """Limit the size of views to what the image processor produces, or to what is read, if that is larger."""
        if self.image_side is None:
            return limits
        return replace(limits, max_side=min(limits.max_side, max(self.image_side, self.reading_side or 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLimits:
    """How much a guard processes at a time."""

    max_prompt_tokens: int | None = None
    """Maximum length of the user's text in tokens; the model's own limit if None."""

    max_batch: int = 16
    """Maximum number of views that go through the vision tower and the safety projector together."""

    max_replies: int = 32
    """Maximum number of replies that are generated together."""

    kv_positions: int = 1 << 15
    """Size of the KV cache in positions: replies times positions of the longest reply."""

    max_readings: int = 1
    """Maximum number of images whose lettering is read at the same time, each on one core."""

    reading: ReadingLimits = field(default_factory=ReadingLimits)
    """Bounds on reading the lettering of images."""

    reply_window: int = 0
    """Tokens between two judgements of a reply while it is generated; 0 disables the judgement of replies."""

    reply_threshold: float = 0.2
    """Minimum refusal threshold for replies: their scores come from text alone, and from parts of the reply."""
