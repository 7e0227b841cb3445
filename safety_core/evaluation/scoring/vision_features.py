"""Vision features of images, computed once per image and vision tower.

The key is the content of the image *and* a digest of the tower, so systems that share a frozen tower share its
features, and systems with different towers never do. Knows nothing of pairs, scores or replies.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from safety_core.data.sample_images import ImageRef, ImageTable
from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.views import Colour
from safety_core.model.fingerprint import compute_tower_fingerprint
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.model.vision.tower import VisionFeatures

TOWER_BATCH = 64


class VisionFeatureCache:
    """Features by (tower, image) up to a number of bytes.

    A full cache evicts nothing and accepts nothing more: all systems read the same images in the same order, so the
    oldest features are the first that the next system needs.

    Args:
        max_bytes: bytes of features to keep.
    """

    def __init__(self, max_bytes: int = 2 << 30) -> None:
        self._free = max_bytes
        self._kept: dict[tuple[str, str], VisionFeatures] = {}

    def get(self, tower: str, image: str) -> VisionFeatures | None:
        """Get the features of one image; None if they are not cached."""
        return self._kept.get((tower, image))

    def put(self, tower: str, image: str, features: VisionFeatures) -> None:
        """Cache the features of one image if they fit."""
        size = sum(tensor.nbytes for tensor in (*features.layers, features.projected_BPD))
        if size <= self._free:
            self._free -= size
            # A slice would keep the memory of its whole batch.
            self._kept[tower, image] = VisionFeatures(
                tuple(layer.clone() for layer in features.layers), features.projected_BPD.clone()
            )


class SampleEncoder:
    """Encodes the images of some samples with one model's tower.

    Args:
        model: model of the tower.
        table: the samples' distinct images.
        cache: shared by the systems of an evaluation.
    """

    def __init__(self, model: SafeLlava, table: ImageTable, cache: VisionFeatureCache) -> None:
        self._model = model
        self._table = table
        self._cache = cache
        self._tower = compute_tower_fingerprint(model, with_projector=True)
        self._fill = get_pad_colour(model.image_processor)

    def encode(self, rows: Sequence[int]) -> VisionFeatures | None:
        """Encode images by their rows in the table, in that order, with repeats; None for no rows.

        Raises:
            SampleError: an image cannot be decoded, or is transparent.
        """
        if not rows:
            return None
        cached = {row: self._cache.get(self._tower, self._table.digests[row]) for row in dict.fromkeys(rows)}
        missing = [row for row, features in cached.items() if features is None]
        for start in range(0, len(missing), TOWER_BATCH):
            batch = missing[start : start + TOWER_BATCH]
            views = [decode_opaque_view(self._table.refs[row], self._fill) for row in batch]
            encoded = self._model.encode_images(self._model.preprocess(views))
            for index, row in enumerate(batch):
                cached[row] = encoded[index : index + 1]
                self._cache.put(self._tower, self._table.digests[row], encoded[index : index + 1])
        return VisionFeatures.concatenate([features for row in rows if (features := cached[row]) is not None])


def decode_opaque_view(ref: ImageRef, fill: Colour) -> Image.Image:
    """Decode an image that has only one view.

    Raises:
        SampleError: the image cannot be decoded; or it is transparent: the guard would choose between two views, and
            systems would no longer receive the same input.
    """
    try:
        views = decode_image(ref.read(), fill=fill).views
    except ImageError as exc:
        raise ref.sample.create_error(exc.message, ref.field) from exc
    if len(views) != 1:
        raise ref.sample.create_error("an image of an evaluation must be opaque", ref.field)
    return views[0]
