"""The result of one pass of the vision tower; the guard and the language model both read only this.

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
    """The same images as LLaVA's own projector hands them to the language model."""

    def __len__(self) -> int:
        return len(self.projected_BPD)

    def __getitem__(self, rows: slice | Sequence[int]) -> VisionFeatures:
        """Some of the images, as a batch of their own."""
        index = rows if isinstance(rows, slice) else torch.as_tensor(rows, dtype=torch.long, device=self.device)
        return VisionFeatures(tuple(layer[index] for layer in self.layers), self.projected_BPD[index])

    @property
    def device(self) -> torch.device:
        """Where the features lie."""
        return self.projected_BPD.device

    @staticmethod
    def concat(parts: Sequence[VisionFeatures]) -> VisionFeatures:
        """Several batches as one; raises ValueError if there is none or they differ in their number of layers."""
        if not parts or len({len(part.layers) for part in parts}) != 1:
            raise ValueError(
                f"{len(parts)} parts with {sorted({len(part.layers) for part in parts})} layers do not join"
            )
        return VisionFeatures(
            tuple(torch.cat(layers) for layers in zip(*(part.layers for part in parts), strict=True)),
            torch.cat([part.projected_BPD for part in parts]),
        )


def tower_positions(config: LlavaConfig) -> int:
    """Positions of one picture's hidden states: its patches, and a class token if the tower has one.

    CLIP's has one, SigLIP's has none. The tower is built and run without weights, so this works for any tower in
    transformers.

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
        raise ConfigError(f"the backbone's vision tower takes no square pictures ({type(exc).__name__})") from exc
    if positions < BackboneDims.from_backbone(config).patches:
        raise ConfigError("the backbone's vision tower has not a position for each patch")
    return positions


def projected_positions(config: LlavaConfig) -> int:
    """Positions that one picture takes in the language model: LLaVA's ``default`` drops the tower's first one.

    Raises:
        ConfigError: as :func:`tower_positions`.
    """
    return tower_positions(config) - (config.vision_feature_select_strategy == "default")


def run_tower(
    backbone: LlavaForConditionalGeneration, pixel_values_BCHW: Tensor, dims: BackboneDims, layers: tuple[int, ...]
) -> VisionFeatures:
    """The one call of the vision tower.

    Args:
        backbone: the LLaVA whose tower and projector run.
        pixel_values_BCHW: what the image processor made of B images.
        dims: sizes of the backbone.
        layers: hidden states that the safety projector wants.
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
