"""Thumbnails of a run's pictures, from its own folder, as data that a page can contain.

The folder may have been moved or thinned out: a picture that is missing, large or no JPEG is left out. Knows no page.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from safety_core.errors import ImageError
from safety_core.evaluation.benchmarks.run_files import THUMBNAILS_FOLDER
from safety_core.inputs.images.inspection import inspect_image

MOST_BYTES = 64 << 10
"""Largest thumbnail that is put into a page, in bytes."""

MOST_EDGE = 512
"""Largest width and height in pixels."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A reduced picture."""

    data: str
    """Its content as a ``data:`` address."""

    width: int
    height: int


def read_thumbnail(run_folder: Path, digest: str) -> Thumbnail | None:
    """Read the thumbnail of a picture; None if there is none that can be shown.

    Args:
        run_folder: folder of the run.
        digest: digest of the whole picture.
    """
    if not _DIGEST.fullmatch(digest):
        return None
    file = run_folder / THUMBNAILS_FOLDER / f"{digest}.jpg"
    try:
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            return None
        content = file.read_bytes()
        picture = inspect_image(content).file
    except (OSError, ImageError):
        return None
    if picture.kind != "JPEG" or max(picture.width, picture.height) > MOST_EDGE:
        return None
    return Thumbnail(
        data=f"data:image/jpeg;base64,{base64.b64encode(content).decode()}",
        width=picture.width,
        height=picture.height,
    )
