"""Fingerprints a vision tower, so that its features are never used for another tower."""

import hashlib
import json

import torch

from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.preprocessing import get_pad_colour

_VERSION = "rows-1"
"""Version that changes if the same tower computes different features, or if caches store features in another layout."""


def compute_tower_fingerprint(model: SafeLlava, *, with_projector: bool) -> str:
    """Compute the SHA-256 of everything that an image's features depend on: preprocessing, layers, weights.

    Args:
        model: the model whose tower computes the features.
        with_projector: whether the features include those of LLaVA's own projector.
    """
    processor = {name: value for name, value in model.image_processor.to_dict().items() if name != "_processor_class"}
    described = {
        "layout": _VERSION,
        "layers": model.config.select_layers(model.dims),
        "own_layers": model.dims.vision_layers,
        "processor": processor,
        "pad": get_pad_colour(model.image_processor),
    }
    parts = [model.backbone.model.vision_tower]
    if with_projector:
        # The strategy decides which of the tower's positions the projector reads.
        described["strategy"] = model.backbone.config.vision_feature_select_strategy
        parts.append(model.backbone.model.multi_modal_projector)
    digest = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode())
    for part in parts:
        for name, tensor in part.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
