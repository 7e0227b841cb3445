"""Replies of the bare language model, for comparison: no verdict, no safety tokens, no hint, no output rail.

They are generated beside the guarded replies, on the same thread. A server offers them only where its operator asks for
it (ADR 58). A failure of the bare model ends its own replies and nothing else. Knows no queues and no clients.
Shapes: I images · C channels · H, W height and width.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray

from safety_core.engine.exceptions import describe
from safety_core.engine.generation.generator import Generator, Output
from safety_core.engine.generation.sequences import GenerationRequest, ReplySequence
from safety_core.engine.protocols import GenerationRequestLike, GeneratorLike, ReplySequenceLike, StepOutput
from safety_core.errors import GenerationError
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures

_logger = logging.getLogger(__name__)

_TOWER_BATCH = 8
"""Images that go through the vision tower together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnguardedRequest(GenerationRequest):
    """A request for a reply of the bare model, which encodes its images when the reply is started."""

    inject: bool = False
    """False: there are no safety tokens."""

    pixels_ICHW: NDArray[np.float32] | None = None
    """One view of each image, from the image processor; None without any image."""


class ComparedGenerator:
    """Generates guarded replies with one generator, and unguarded ones with another, as many together as one would.

    Args:
        guarded: generates the guarded replies.
        bare: generates the unguarded ones.
        max_replies: maximum number of running replies of both kinds together.
        kv_positions: maximum size of the KV cache of the unguarded replies, which is beside that of the guarded ones.
    """

    def __init__(self, guarded: GeneratorLike, bare: SafeLlava, *, max_replies: int, kv_positions: int) -> None:
        self._guarded = guarded
        self._bare = bare
        self._max_replies = max_replies
        self._unguarded = Generator(bare, max_replies=max_replies, kv_positions=kv_positions)
        self._sequences: list[ReplySequence] = []
        """Running replies of the bare model."""

    @property
    def running(self) -> int:
        """Number of running sequences of both kinds."""
        return self._guarded.running + self._unguarded.running

    def create_sequence(self, request: GenerationRequestLike) -> ReplySequenceLike:
        """Create a sequence that does not run yet; runs the vision tower for an unguarded one.

        Raises:
            PromptError: the prompt alone fills the model's context.
        """
        if not isinstance(request, UnguardedRequest):
            return self._guarded.create_sequence(request)
        images = None if request.pixels_ICHW is None else self._encode_images(request.pixels_ICHW)
        return self._unguarded.create_sequence(replace(request, images=images, pixels_ICHW=None))

    def fits(self, joining: Sequence[ReplySequenceLike]) -> bool:
        """Whether there is room for sequences in addition to the running ones; a single sequence always fits."""
        if 1 < self.running + len(joining) > self._max_replies:
            return False
        guarded, unguarded = _split(joining)
        return self._guarded.fits(guarded) and self._unguarded.fits(unguarded)

    def admit(self, sequences: Sequence[ReplySequenceLike]) -> list[StepOutput[ReplySequenceLike]]:
        """Start sequences: read their prompts and generate the first token of each."""
        guarded, unguarded = _split(sequences)
        self._sequences += unguarded
        outputs = [*self._guarded.admit(guarded)] if guarded else []
        return [*outputs, *self._advance(lambda: self._unguarded.admit(unguarded))] if unguarded else outputs

    def step(self) -> list[StepOutput[ReplySequenceLike]]:
        """Generate one token of every running sequence; raises as the generator of the guarded replies does."""
        outputs = [*self._guarded.step()]
        return [*outputs, *self._advance(self._unguarded.step)]

    def drop(self, sequence: ReplySequenceLike) -> None:
        """Stop a sequence."""
        if not _is_unguarded(sequence):
            self._guarded.drop(sequence)
            return
        self._unguarded.drop(sequence)
        self._sequences = [other for other in self._sequences if other is not sequence]

    def release_memory(self) -> None:
        """Free memory that no running sequence needs."""
        self._guarded.release_memory()
        self._unguarded.release_memory()

    def _encode_images(self, pixels_ICHW: NDArray[np.float32]) -> VisionFeatures:
        parts = torch.from_numpy(pixels_ICHW).split(_TOWER_BATCH)
        features = VisionFeatures.concatenate([self._bare.encode_images(part) for part in parts])
        return VisionFeatures((), features.projected_BPD)

    def _advance(self, run: Callable[[], list[Output]]) -> list[StepOutput[ReplySequenceLike]]:
        """Run a step of the unguarded replies; an exception ends them all, because the guard must go on."""
        try:
            outputs = run()
        except Exception as exc:
            _logger.error("unguarded replies failed: %s", describe(exc))
            outputs = [self._fail(sequence) for sequence in self._sequences]
        self._sequences = [sequence for sequence in self._sequences if not sequence.done]
        return [*outputs]

    def _fail(self, sequence: ReplySequence) -> Output:
        self._unguarded.drop(sequence)
        sequence.failure = GenerationError("the reply could not be generated")
        return StepOutput(sequence, "")


def _is_unguarded(sequence: ReplySequenceLike) -> TypeGuard[ReplySequence]:
    return isinstance(sequence, ReplySequence) and isinstance(sequence.request, UnguardedRequest)


def _split(sequences: Sequence[ReplySequenceLike]) -> tuple[list[ReplySequenceLike], list[ReplySequence]]:
    """Split sequences into guarded and unguarded ones."""
    return [one for one in sequences if not _is_unguarded(one)], [one for one in sequences if _is_unguarded(one)]
