"""Which bytes a checkpoint directory may hold: ``manifest.json`` lists the sha256 of every other file in it.

Checked before anything is parsed or loaded. Knows nothing of what the files mean. Standard library only.

One file of a sound checkpoint can be rewritten so that a kill leaves it sound (:func:`replace_file`). While that goes
on, the manifest's ``next`` holds the file's new sum beside the old one, and either passes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from safety_core.errors import CheckpointError, ForbiddenFileError, IntegrityError

MANIFEST = "manifest.json"

_SPEC_FILE = "safevlm.json"
"""Configuration file of every checkpoint."""

PARTIAL = ".partial"
"""Ends the names of files that are being written, directly in the directory: no part of it, and never read."""

# Formats that run code when they are loaded, and code itself. Weights are safetensors, everything else is text.
_FORBIDDEN_SUFFIXES = (
    *(".bin", ".ckpt", ".dill", ".dll", ".dylib", ".h5", ".joblib", ".keras", ".msgpack", ".npy", ".npz", ".pb"),
    *(".pickle", ".pkl", ".pt", ".pth", ".py", ".pyc", ".pyd", ".so", ".tar", ".zip"),
)
# Protocol 2 to 5 pickles, and the zip archives that torch.save writes, whatever they are called.
_FORBIDDEN_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"PK\x05\x06")


def write_manifest(path: Path) -> Path:
    """List every file below ``path`` anew; returns the manifest's path.

    Raises:
        ForbiddenFileError: a file could execute code when loaded.
    """
    refuse_forbidden(path)
    _write(path, {"sha256": {name: _sha256(path / name) for name in _listed(path)}})
    return path / MANIFEST


def replace_file(path: Path, name: str, content: bytes) -> None:
    """Rewrite one file of a sound checkpoint; a kill at any moment leaves a sound one, with the old or the new file.

    Three steps, each a rename: the manifest allows both contents, the file changes, the manifest forgets the old one.

    Raises:
        CheckpointError: as :func:`check_manifest`, or the manifest does not list the file.
    """
    sums = check_manifest(path)
    if name not in sums:
        raise IntegrityError(f"{path.name}: {name} is not in the manifest")
    new = hashlib.sha256(content).hexdigest()
    _write(path, {"sha256": sums, "next": {name: new}})
    _replace(path / name, content)
    _write(path, {"sha256": sums | {name: new}})


def check_manifest(path: Path) -> dict[str, str]:
    """Compare every file with the manifest; returns the sums by relative path, as the files have them.

    Raises:
        CheckpointError: ``path`` is no directory.
        ForbiddenFileError: a file could execute code when loaded.
        IntegrityError: a file is missing, surplus, a link, unreadable, or has other bytes; the message names them.
    """
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such checkpoint directory")
    # Any folder can be named by mistake, also a large one that others write to: nothing else of it is looked at.
    if not any((path / name).exists() for name in (MANIFEST, _SPEC_FILE)):
        raise IntegrityError(f"{path}: this folder holds no checkpoint, {MANIFEST} is missing")
    refuse_forbidden(path)
    expected, later = _read(path / MANIFEST)
    present = set(_listed(path))
    missing, surplus = sorted(set(expected) - present), sorted(present - set(expected))
    if missing or surplus:
        raise IntegrityError(f"{path.name}: files missing {missing}, files not in the manifest {surplus}")
    found = {name: _sha256(path / name) for name in expected}
    changed = sorted(name for name, digest in found.items() if digest not in (expected[name], later.get(name)))
    if changed:
        raise IntegrityError(f"{path.name}: bytes differ from the manifest in {changed}")
    return found


def refuse_forbidden(path: Path) -> None:
    """Raise ForbiddenFileError for pickles and code below ``path``, IntegrityError for links and the unreadable."""
    for name in _files(path):
        file = path / name
        if file.is_symlink() or not file.is_file():
            raise IntegrityError(f"{path.name}: {name} is a link or no plain file; a checkpoint holds its own bytes")
        if _runs_on_loading(file):
            raise ForbiddenFileError(
                f"{path.name}: {name} could execute code when loaded; only safetensors are accepted"
            )


def _runs_on_loading(file: Path) -> bool:
    if file.suffix.lower() in _FORBIDDEN_SUFFIXES:
        return True
    with _opened(file) as stream:
        start = stream.read(9)
    # safetensors starts with eight bytes of header length, which can look like a pickle's, then the header's brace.
    safetensors = file.suffix == ".safetensors" and start.endswith(b"{")
    return start.startswith(_FORBIDDEN_STARTS) and not safetensors


def _files(path: Path) -> list[str]:
    """Relative paths of all files but the manifest; links to directories count as files."""
    return sorted(
        file.relative_to(path).as_posix()
        for file in path.rglob("*")
        if (file.is_symlink() or not file.is_dir()) and file != path / MANIFEST
    )


def _listed(path: Path) -> list[str]:
    """What a manifest lists: all files but those that a kill left half-written."""
    return [name for name in _files(path) if "/" in name or not name.endswith(PARTIAL)]


def _write(path: Path, manifest: Mapping[str, Mapping[str, str]]) -> None:
    _replace(path / MANIFEST, (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode())


def _replace(file: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    partial = file.with_name(file.name + PARTIAL)
    try:
        partial.write_bytes(content)
        partial.replace(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _read(file: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The sums, and those that some files may have as well while they are rewritten."""
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        sums, later = manifest["sha256"], manifest.get("next", {})
    except FileNotFoundError as exc:
        raise IntegrityError(f"{file.parent.name}: {MANIFEST} is missing") from exc
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityError(f"{file.parent.name}: {MANIFEST} cannot be read") from exc
    for part in (sums, later):
        if not isinstance(part, dict) or not all(isinstance(digest, str) for digest in part.values()):
            raise IntegrityError(f"{file.parent.name}: {MANIFEST} must map paths to sha256 sums")
    return sums, later


def _sha256(file: Path) -> str:
    with _opened(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _opened(file: Path) -> Iterator[BufferedReader]:
    try:
        with file.open("rb") as stream:
            yield stream
    except OSError as exc:
        raise IntegrityError(f"{file.parent.name}: {file.name} cannot be read ({exc.strerror})") from exc
