"""Vision features of pictures: once per picture and vision tower, whatever the number of samples and rows.

Features are kept under the content of the picture *and* of everything that made them, so rows that share a frozen tower
share its work, and rows that do not cannot be mistaken for each other. Knows nothing of pairs, scores or replies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from PIL import Image

from safety_core.data.collate import ImageRef, ImageTable
from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import Colour, decode
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.model.vision.tower import VisionFeatures

TOWER_BATCH = 64


class KeptFeatures:
    """Features by (tower, picture) up to a number of bytes.

    Once full it keeps what it has and takes no more: rows read the same pictures in the same order, and to throw out
    the oldest would be to throw out what the next row asks for first.

    Args:
        max_bytes: bytes of features to keep.
    """

    def __init__(self, max_bytes: int = 2 << 30) -> None:
        self._free = max_bytes
        self._kept: dict[tuple[str, str], VisionFeatures] = {}

    def get(self, tower: str, picture: str) -> VisionFeatures | None:
        """Features of one picture, if they are kept."""
        return self._kept.get((tower, picture))

    def put(self, tower: str, picture: str, features: VisionFeatures) -> None:
        """Keep the features of one picture while there is room."""
        size = sum(tensor.nbytes for tensor in (*features.layers, features.projected_BPD))
        if size <= self._free:
            self._free -= size
            # A slice would keep its whole batch alive.
            self._kept[tower, picture] = VisionFeatures(
                tuple(layer.clone() for layer in features.layers), features.projected_BPD.clone()
            )


class SampleEncoder:
    """Encodes the pictures of some samples with one model's tower.

    Args:
        model: the model whose tower sees.
        table: the samples' distinct pictures.
        cache: shared between the rows of an evaluation.
    """

    def __init__(self, model: SafeLlava, table: ImageTable, cache: KeptFeatures) -> None:
        self._model = model
        self._table = table
        self._cache = cache
        self._tower = tower_digest(model)
        self._fill = get_pad_colour(model.image_processor)

    def features(self, rows: Sequence[int]) -> VisionFeatures | None:
        """Features of pictures by their rows in the table, in that order, repeats included; None for no rows.

        Raises:
            SampleError: a picture cannot be decoded, or is transparent.
        """
        if not rows:
            return None
        found = {row: self._cache.get(self._tower, self._table.digests[row]) for row in dict.fromkeys(rows)}
        missing = [row for row, features in found.items() if features is None]
        for start in range(0, len(missing), TOWER_BATCH):
            batch = missing[start : start + TOWER_BATCH]
            views = [opaque_view(self._table.refs[row], self._fill) for row in batch]
            encoded = self._model.encode_images(self._model.preprocess(views))
            for index, row in enumerate(batch):
                found[row] = encoded[index : index + 1]
                self._cache.put(self._tower, self._table.digests[row], encoded[index : index + 1])
        return VisionFeatures.concat([features for row in rows if (features := found[row]) is not None])


def opaque_view(ref: ImageRef, fill: Colour) -> Image.Image:
    """The one view of a picture that figures rest on.

    Raises:
        SampleError: the picture cannot be decoded; or it is transparent, so that the guard would choose between two
            pictures and rows would no longer be asked the same question.
    """
    try:
        views = decode(ref.read(), fill=fill).views
    except ImageError as exc:
        raise ref.sample.error(exc.message, ref.field) from exc
    if len(views) != 1:
        raise ref.sample.error("a picture that figures rest on must be opaque", ref.field)
    return views[0]


def tower_digest(model: SafeLlava) -> str:
    """Digest of all that decides a picture's features: image processor, tower, LLaVA's projector, layers read."""
    digest = hashlib.sha256(model.image_processor.to_json_string().encode())
    digest.update(
        repr(
            (model.config.layers_for(model.dims), model.dims, model.backbone.config.vision_feature_select_strategy)
        ).encode()
    )
    inner = model.backbone.model
    for part in (inner.vision_tower, inner.multi_modal_projector):
        for name, tensor in sorted(part.state_dict().items()):
            digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
