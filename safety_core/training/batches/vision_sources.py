"""Images of a batch: pixels for the vision tower, or features that the frozen tower computed before.

Shapes: B images · N image patches · V vision width · P image positions in the LLM · D LLM width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from safety_core.data.sample_images import ImageTable, load_image
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.model.vision.tower import VisionFeatures, find_own_layers


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionInput:
    """B images as pixels or as the tower's features."""

    pixels_BCHW: Tensor | None = None
    """Preprocessed pixels; None if there are features."""

    layers: tuple[Tensor, ...] = ()
    """feat_BNV of each vision layer that the safety projector reads."""

    projected_BPD: Tensor | None = None
    """LLaVA's own projection; None if it can be computed from ``layers``."""

    def to(self, device: torch.device) -> "VisionInput":
        """Copy the tensors to a device."""
        return VisionInput(
            pixels_BCHW=None if self.pixels_BCHW is None else self.pixels_BCHW.to(device),
            layers=tuple(layer.to(device) for layer in self.layers),
            projected_BPD=None if self.projected_BPD is None else self.projected_BPD.to(device),
        )

    @torch.no_grad()
    def resolve(self, model: SafeLlava, *, project: bool) -> VisionFeatures:
        """Compute the features that the model takes; without ``project``, LLaVA's projection stays empty.

        Raises:
            ValueError: LLaVA's projection is needed, but is neither stored nor computable from ``layers``.
        """
        if self.pixels_BCHW is not None:
            return model.encode_images(self.pixels_BCHW)
        layers = tuple(layer.float() for layer in self.layers)
        if not project:
            return VisionFeatures(layers, layers[0].new_empty(len(layers[0]), 0, 0))
        if self.projected_BPD is not None:
            return VisionFeatures(layers, self.projected_BPD.float())
        places = find_own_layers(model.dims, model.config.select_layers(model.dims))
        if places is None:
            raise ValueError("LLaVA's projection is not stored, and cannot be computed from these layers")
        projector = model.backbone.model.multi_modal_projector
        dtype = next(projector.parameters()).dtype
        own_BNV = torch.cat([layers[place] for place in places], dim=-1)
        return VisionFeatures(layers, projector(own_BNV.to(dtype)))


class VisionSource(Protocol):
    """The images of a data set by their row in its image table. Tests use a fake implementation."""

    def fetch(self, rows: Sequence[int]) -> VisionInput:
        """Load images, in the order of ``rows``."""


@dataclass(frozen=True, slots=True)
class LiveImages:
    """Decodes images in every step; the tower runs in the training step."""

    table: ImageTable
    model: SafeLlava

    def fetch(self, rows: Sequence[int]) -> VisionInput:
        """Decode and preprocess images; raises SampleError if one is unreadable."""
        fill = get_pad_colour(self.model.image_processor)
        return VisionInput(pixels_BCHW=self.model.preprocess([load_image(self.table.refs[i], fill=fill) for i in rows]))
