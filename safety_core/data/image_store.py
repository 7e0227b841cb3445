"""Stores images that are embedded in a data set's files as separate files, each content once."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIXES = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"GIF8", ".gif"), (b"RIFF", ".webp"))
"""First bytes of the files of each format, and its suffix."""


def is_image(content: bytes) -> bool:
    """Whether a file begins as one of the formats that are accepted."""
    return any(content.startswith(start) for start, _ in _SUFFIXES)


class ImageStore:
    """A folder of images that are named by their content.

    Args:
        folder: the destination; created when the first image is stored.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: list[Path] = []

    def store(self, image: Path | bytes) -> Path:
        """Return the file of an image; writes the file if this content is new."""
        if isinstance(image, Path):
            return image
        suffix = next((suffix for start, suffix in _SUFFIXES if image.startswith(start)), ".img")
        path = self._folder / f"{hashlib.sha256(image).hexdigest()[:32]}{suffix}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._written.append(path)
            path.write_bytes(image)
        return path

    def remove_written(self) -> None:
        """Delete the files that this object wrote, and the folder if it is then empty."""
        for path in self._written:
            path.unlink(missing_ok=True)
        if self._written:
            with suppress(OSError):
                self._folder.rmdir()


@contextmanager
def open_image_store(folder: Path) -> Iterator[ImageStore]:
    """Yield a store whose files are removed again after an error."""
    store = ImageStore(folder)
    try:
        yield store
    except BaseException:
        store.remove_written()
        raise
