"""Records what runs inside a guard's model: batch sizes, positions, pixels and features."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from safety_core.engine.guard import Guard
from safety_core.model.vision.tower import VisionFeatures


@dataclass(slots=True)
class ModelInputs:
    """Inputs of a model's parts."""

    passes: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)
    """Inputs of the vision tower and their projected features, one entry per pass."""

    read: list[tuple[list[int], VisionFeatures | None]] = field(default_factory=list)
    """Prompts and picture features of the language model."""

    @property
    def pixels(self) -> torch.Tensor:
        """All inputs of the vision tower, over all passes; a slow machine needs several."""
        return torch.cat([pixels for pixels, _ in self.passes])

    @property
    def projected(self) -> torch.Tensor:
        """The projected features of all inputs."""
        return torch.cat([projected for _, projected in self.passes])


@contextmanager
def record_model_inputs(guard: Guard) -> Iterator[ModelInputs]:
    """Record the inputs of tower and language model while requests are served."""
    model, seen = guard.model, ModelInputs()
    encode, embed = model.encode_images, model.embed

    def record_encode(pixels: torch.Tensor) -> VisionFeatures:
        features = encode(pixels)
        seen.passes.append((pixels.clone(), features.projected_BPD))
        return features

    def record_embed(prompts: Sequence[Any], vision: VisionFeatures | None, *args: Any, **kwargs: Any) -> Any:
        seen.read += [(prompt.input_ids, vision) for prompt in prompts]
        return embed(prompts, vision, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "encode_images", record_encode)
        patch.setattr(model, "embed", record_embed)
        yield seen


def assert_read_what_was_scored(seen: ModelInputs, *, views: int = 1, view: int = 0) -> None:
    """Assert that the tower saw each view once and the language model got the features that the head judged."""
    ((_, given),) = seen.read
    assert given is not None
    assert len(given) == 1
    assert len(seen.projected) == views
    assert torch.equal(given.projected_BPD[0], seen.projected[view])


@dataclass
class ModelCalls:
    """Calls of a model's parts."""

    pictures: list[int] = field(default_factory=list)
    """Batch size of each run of the vision tower."""

    llm_positions: list[int] = field(default_factory=list)
    """Positions of each run of the language model."""


@contextmanager
def count_model_calls(guard: Guard) -> Iterator[ModelCalls]:
    """Count the calls of tower and language model."""
    calls = ModelCalls()
    parts = guard.model.backbone.model

    def record_tower(_: Any, args: Any, kwargs: Any) -> None:
        calls.pictures.append(len(args[0]))

    def record_llm(_: Any, args: Any, kwargs: Any) -> None:
        calls.llm_positions.append(kwargs["inputs_embeds"].shape[1])

    hooks = [
        parts.vision_tower.register_forward_pre_hook(record_tower, with_kwargs=True),
        parts.language_model.register_forward_pre_hook(record_llm, with_kwargs=True),
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()
