"""Reduced copies of the pictures of a run, for readers of its report."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from safety_core.errors import ImageError
from safety_core.evaluation.benchmarks.run_files import THUMBNAILS_FOLDER
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.inputs.images.decoding import decode_image

SIDE = 320
"""Longest side in pixels."""

_QUALITY = 80


def write_thumbnails(folder: Path, item: Item) -> None:
    """Write the thumbnails of an item's pictures that are not there yet; none for a picture that cannot be decoded.

    Pictures are decoded with the limits of the guard, so that a hostile file does no harm here either.
    """
    for picture in item.pictures:
        file = folder / THUMBNAILS_FOLDER / f"{picture.sha256}.jpg"
        if file.exists():
            continue
        try:
            image = decode_image(picture.read()).views[-1]
        except (ImageError, OSError):
            continue
        file.parent.mkdir(exist_ok=True)
        image = image.convert("RGB")
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        partial = file.with_suffix(".part")
        image.save(partial, "JPEG", quality=_QUALITY)
        partial.replace(file)
