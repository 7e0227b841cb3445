"""Runs the vision tower; its features are the only input of images to the safety head and the language model.

Shapes: B images · N image patches · V vision width · D LLM width · P image positions in the LLM (N, one more with a
class token, one less without one where LLaVA drops the first position all the same).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel, LlavaConfig, LlavaForConditionalGeneration

from safety_core.errors import ConfigError
from safety_core.model.config import BackboneDims


@dataclass(frozen=True, slots=True)
class VisionFeatures:
    """Features of B images, row by row."""

    layers: tuple[Tensor, ...]
    """feat_BNV of each vision layer that the safety projector reads."""

    projected_BPD: Tensor
    """The same images as input embeddings of the language model, from LLaVA's own projector."""

    def __len__(self) -> int:
        return len(self.projected_BPD)

    def __getitem__(self, rows: slice | Sequence[int]) -> VisionFeatures:
        """Select a subset of the images as a batch."""
        index = rows if isinstance(rows, slice) else torch.as_tensor(rows, dtype=torch.long, device=self.device)
        return VisionFeatures(tuple(layer[index] for layer in self.layers), self.projected_BPD[index])

    @property
    def device(self) -> torch.device:
        """Device of the features."""
        return self.projected_BPD.device

    @staticmethod
    def concatenate(parts: Sequence[VisionFeatures]) -> VisionFeatures:
        """Concatenate batches; raises ValueError if there are none or their numbers of layers differ."""
        counts = sorted({len(part.layers) for part in parts})
        if len(counts) != 1:
            raise ValueError(f"{len(parts)} batches with {counts} layers cannot be concatenated")
        return VisionFeatures(
            tuple(torch.cat(layers) for layers in zip(*(part.layers for part in parts), strict=True)),
            torch.cat([part.projected_BPD for part in parts]),
        )


def count_tower_positions(config: LlavaConfig) -> int:
    """Count the positions of one image's hidden states: its patches, and a class token if the tower has one.

    CLIP's tower has one, SigLIP's has none. The tower is built and run on the ``meta`` device, so this works for any
    tower in transformers.

    Raises:
        ConfigError: the tower does not use square patches.
    """
    vision: Any = config.vision_config
    try:
        with torch.device("meta"), torch.no_grad():
            tower = AutoModel.from_config(vision)
            pixels = torch.empty(1, getattr(vision, "num_channels", 3), vision.image_size, vision.image_size)
            positions = int(tower(pixels).last_hidden_state.shape[1])
    except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as exc:
        raise ConfigError(f"the backbone's vision tower takes no square images ({type(exc).__name__})") from exc
    if positions < BackboneDims.read_config(config).patches:
        raise ConfigError("the backbone's vision tower has fewer positions than patches")
    return positions


def count_projected_positions(config: LlavaConfig) -> int:
    """Count the positions of one image in the language model; LLaVA's ``default`` strategy drops the tower's first one.

    Raises:
        ConfigError: as :func:`count_tower_positions`.
    """
    return count_tower_positions(config) - (config.vision_feature_select_strategy == "default")


def find_own_layers(dims: BackboneDims, layers: Sequence[int]) -> tuple[int, ...] | None:
    """Find the hidden states that LLaVA itself reads among those that the safety projector reads.

    Returns:
        The place of each in ``layers``; None if one is not among them.
    """
    hidden_states = dims.vision_depth + 1
    places = {layer % hidden_states: place for place, layer in enumerate(layers)}
    own = [places.get(layer % hidden_states) for layer in dims.vision_layers]
    found = tuple(place for place in own if place is not None)
    return found if len(found) == len(own) else None


def run_tower(
    backbone: LlavaForConditionalGeneration, pixel_values_BCHW: Tensor, dims: BackboneDims, layers: tuple[int, ...]
) -> VisionFeatures:
    """Run the vision tower and LLaVA's projector; no other code runs the tower.

    Args:
        backbone: the LLaVA whose tower and projector run.
        pixel_values_BCHW: output of the image processor for B images.
        dims: sizes of the backbone.
        layers: hidden states that the safety projector reads.
    """
    model, config = backbone.model, backbone.config
    tower = model.vision_tower
    hidden = tower(pixel_values_BCHW.to(tower.device, tower.dtype), output_hidden_states=True).hidden_states
    own = [hidden[layer] for layer in dims.vision_layers]
    if config.vision_feature_select_strategy == "default":
        own = [states[:, 1:] for states in own]
    projected_BPD = model.multi_modal_projector(torch.cat(own, dim=-1))
    # The safety projector reads a square grid, so the class token never enters it, whatever LLaVA does.
    return VisionFeatures(tuple(hidden[layer][:, -dims.patches :] for layer in layers), projected_BPD)
