"""Pictures of items: files, known by the digest of their bytes. Opens no picture."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safety_core.data.image_store import ImageStore
from safety_core.data.record_place import RecordPlace

MAX_BYTES = 64 * 1024 * 1024
"""Most bytes of one picture's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The file of a picture."""

    path: Path
    sha256: str
    """Digest of the file's bytes."""

    def read(self) -> bytes:
        """Read the file; raises OSError if it is gone."""
        return self.path.read_bytes()


class PictureTable:
    """Digests pictures, each file once, and stores those that a data set keeps in its own files.

    Args:
        store: folder for pictures that come as bytes.
    """

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._known: dict[Path, Picture] = {}

    def add(self, image: Path | bytes, place: RecordPlace) -> Picture:
        """Return a picture.

        Args:
            image: its file, or its content.
            place: the record, for errors.

        Raises:
            SampleError: the file cannot be read, or is too large.
        """
        path = self._store.store(image)
        if path not in self._known:
            try:
                if path.stat().st_size > MAX_BYTES:
                    raise place.create_error(f"the image {path.name} has more than {MAX_BYTES} bytes", "image")
                content = path.read_bytes()
            except OSError as exc:
                raise place.create_error(f"the image {path.name} cannot be read", "image") from exc
            self._known[path] = Picture(path=path, sha256=hashlib.sha256(content).hexdigest())
        return self._known[path]
