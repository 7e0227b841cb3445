"""Finds the files of an unpacked data set. Knows no file format."""

from collections.abc import Iterator
from pathlib import Path

from safety_core.data.record_place import RecordPlace

_IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif"})


def find_files(root: Path, *patterns: str) -> list[Path]:
    """Find all files below a folder that match a pattern, sorted; raises SampleError if there are none."""
    matches = {path for pattern in patterns for path in root.glob(pattern)}
    files = sorted(path for path in matches if path.is_file() and not is_hidden(path.relative_to(root)))
    if not files:
        raise RecordPlace(root).create_error(f"no file matches {list(patterns)}", "file")
    return files


def find_first_file(root: Path, *names: str) -> Path:
    """Find the first of several files in a folder; raises SampleError if none exists."""
    for name in names:
        if (root / name).is_file():
            return root / name
    raise RecordPlace(root).create_error(f"none of {list(names)} exists", "file")


def find_data_folder(root: Path, entry: str) -> Path:
    """Return the folder that contains ``entry``: ``root`` or else its subfolder ``data``; ``root`` if neither does."""
    return root if (root / entry).is_dir() or not (root / "data").is_dir() else root / "data"


def find_image(*candidates: Path) -> Path:
    """Return the first path that exists, or the first path if none does."""
    return next((path for path in candidates if path.is_file()), candidates[0])


def find_images(root: Path) -> Iterator[Path]:
    """Yield the images below a folder, sorted by path."""
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in _IMAGE_SUFFIXES and path.is_file() and not is_hidden(path.relative_to(root)):
            yield path


def is_hidden(path: Path) -> bool:
    """Whether a path below a data set's folder does not belong to the set, but was left in the archive by a tool."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
