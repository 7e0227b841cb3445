"""The guard as a system: every item is judged by itself, as a server judges a request."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.errors import EngineError, InputError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import DecodedImage, decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.lettering.readers import ReadPictures
from safety_core.policy.policy import NO_VERDICT
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.systems.system import Score

REPLY_WINDOW = 20
"""Tokens between two judgements of a reply, as a server's default."""


class GuardSystem:
    """Judges items with a guard."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Yield the verdict of each item; a request that the guard does not accept has none."""
        for item in items:
            started = time.perf_counter()
            try:
                request = GuardRequest(images=decode_picture(item, self.guard), turns=create_turns(item))
                judged = self.guard.assess(request)
            except InputError as exc:
                yield Score(problem=exc.code)
                continue
            except EngineError as exc:
                yield Score(problem=type(exc).__name__)
                continue
            verdict = judged.verdict
            yield Score(
                risk=verdict.unsafe_probability,
                decision=verdict.decision,
                seconds=time.perf_counter() - started,
                problem=NO_VERDICT if verdict.reason == NO_VERDICT else None,
            )


def load_guard_system(
    checkpoint: Path,
    *,
    read_pictures: ReadPictures = "auto",
    view_changes: Mapping[str, bool | int] | None = None,
    device: str = "cpu",
) -> GuardSystem:
    """Load a guard as a server does.

    Args:
        checkpoint: its folder.
        read_pictures: whether lettering is read.
        view_changes: fields of :class:`TextViews` that differ from the checkpoint's own.
        device: device of the model.

    Raises:
        CheckpointError: the checkpoint is damaged or untrained.
        ConfigError: the device does not exist, or what the reader needs is not installed.
    """
    limits = GuardLimits(reply_window=REPLY_WINDOW)
    guard = load_guard(checkpoint, device=device, limits=limits, read_pictures=read_pictures)
    if view_changes:
        views: dict[str, Any] = dict(view_changes)
        guard.model.prompts.text_views = replace(guard.model.prompts.text_views, **views)
    return GuardSystem(guard)


def decode_picture(item: Item, guard: Guard) -> tuple[DecodedImage, ...]:
    """Decode an item's picture as the server does; raises ImageError."""
    if item.picture is None:
        return ()
    limits = guard.info.limit_images(ImageLimits())
    return (decode_image(item.picture.read_bytes(), limits=limits, fill=guard.info.pad_colour),)


def create_turns(item: Item) -> tuple[Turn, ...]:
    """Create the conversation of an item: its earlier turns, then its words; none for a picture alone."""
    if not item.prompt:
        return ()
    return (*item.earlier, Turn(role="user", text=item.prompt, images=int(item.picture is not None)))
