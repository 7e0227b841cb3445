"""Fingerprints of frozen parts of a model, so that stored features are never used for other parts."""

import hashlib
import json

import torch
from torch import nn

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
        _update(digest, part)
    return digest.hexdigest()


def compute_prompt_fingerprint(model: SafeLlava) -> str:
    """Compute the SHA-256 of everything that the states of a text's tokens depend on: frame, layers, weights."""
    frame = model.prompts.text_frame
    described = {"layout": _VERSION, "start": frame.start, "end": frame.end, "layers": model.config.prompt_layers}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    _update(digest, model.backbone.get_input_embeddings())
    if model.config.prompt_layers:
        _update(digest, model.prompt_reader.first_layers)
    return digest.hexdigest()


def _update(digest: "hashlib._Hash", part: nn.Module) -> None:
    """Add the names and values of a module's tensors to a digest."""
    for name, tensor in part.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
