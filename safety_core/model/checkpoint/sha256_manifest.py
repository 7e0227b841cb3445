"""The manifest of a checkpoint directory: ``manifest.json`` lists the SHA-256 of every other file.

It is checked before any other file is parsed. Knows nothing of the files' meaning.

:func:`replace_file` rewrites one file so that the checkpoint stays valid even if the process is killed. Meanwhile, the
manifest's ``next`` holds the file's new digest, and a file with the old or the new digest is accepted.

A backbone that is assembled from pretrained parts is listed like other files, but no repository contains it; its folder
has a record of its origin, :data:`PARTS_FILE`. The parts themselves lie in a folder that is never read, and not listed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from safety_core.errors import CheckpointError, ForbiddenFileError, IntegrityError, MissingBackboneError
from safety_core.files import describe_read_error, read_json
from safety_core.strict_json import StrictModel, find_problem

MANIFEST = "manifest.json"

_SPEC_FILE = "safevlm.json"
"""Configuration file of every checkpoint."""

PARTIAL = ".partial"
"""Suffix of files that are being written, at the top of the directory; not part of the checkpoint and never read."""

BACKBONE_DIR = "backbone"
"""Folder of a backbone that is part of the checkpoint."""

PARTS_FILE = "parts.json"
"""File of a backbone that was assembled from pretrained parts, which names these parts."""

PARTS_DIR = ".parts"
"""Folder of these parts, at the top of the directory; not part of the checkpoint and never read."""

# Code, and formats that can execute code when loaded. Weights are safetensors, everything else is text.
_FORBIDDEN_SUFFIXES = (
    *(".bin", ".ckpt", ".dill", ".dll", ".dylib", ".h5", ".joblib", ".keras", ".msgpack", ".npy", ".npz", ".pb"),
    *(".pickle", ".pkl", ".pt", ".pth", ".py", ".pyc", ".pyd", ".so", ".tar", ".zip"),
)
# Pickles of protocol 2 to 5, and the zip archives of torch.save, whatever their names are.
_FORBIDDEN_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"PK\x05\x06")


class _Manifest(StrictModel):
    model_config = ConfigDict(extra="ignore")

    sha256: dict[str, str]
    """Digests by relative path."""

    next: dict[str, str] = Field(default_factory=dict)
    """Additional digests that are accepted while files are rewritten."""


def write_manifest(path: Path) -> Path:
    """Write a manifest of every file below ``path``; returns the manifest's path.

    Raises:
        ForbiddenFileError: a file could execute code when loaded.
    """
    reject_forbidden(path)
    _write_manifest(path, {"sha256": {name: _compute_sha256(path / name) for name in _list_files(path)}})
    return path / MANIFEST


def replace_file(path: Path, name: str, content: bytes) -> None:
    """Rewrite one file of a valid checkpoint, which stays valid if the process is killed at any moment.

    Three steps, each a rename: the manifest accepts both contents, the file changes, the manifest drops the old digest.

    Raises:
        CheckpointError: as :func:`check_manifest`, or the manifest does not list the file.
    """
    sums = check_manifest(path)
    if name not in sums:
        raise IntegrityError(f"{path.name}: {name} is not in the manifest")
    new = hashlib.sha256(content).hexdigest()
    _write_manifest(path, {"sha256": sums, "next": {name: new}})
    _write_whole(path / name, content)
    _write_manifest(path, {"sha256": sums | {name: new}})


def check_manifest(path: Path) -> dict[str, str]:
    """Compare every file with the manifest; returns the files' digests by relative path.

    Raises:
        CheckpointError: ``path`` is not a directory.
        MissingBackboneError: no file of the backbone is present, and all others are valid: it must be assembled first.
        ForbiddenFileError: a file could execute code when loaded.
        IntegrityError: a file is missing, surplus, a link, unreadable, or differs from the manifest; the message names
            the files.
    """
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such checkpoint directory")
    # The path may be wrong and name a large folder of another program, so nothing else in the folder is read.
    if not any((path / name).exists() for name in (MANIFEST, _SPEC_FILE)):
        raise IntegrityError(f"{path}: this folder does not contain a checkpoint, {MANIFEST} is missing")
    reject_forbidden(path)
    manifest = _read_manifest(path / MANIFEST)
    expected = manifest.sha256
    present = set(_list_files(path))
    missing, surplus = sorted(set(expected) - present), sorted(present - set(expected))
    is_assembled = f"{BACKBONE_DIR}/{PARTS_FILE}" in expected
    lacks_backbone = is_assembled and not surplus and missing == sorted(filter(_is_in_backbone, expected))
    advice = f"; {_advise(path)}" if is_assembled else ""
    if (missing or surplus) and not lacks_backbone:
        advice = advice if any(map(_is_in_backbone, (*missing, *surplus))) else ""
        raise IntegrityError(f"{path.name}: files missing {missing}, files not in the manifest {surplus}{advice}")
    digests = {name: _compute_sha256(path / name) for name in expected if name in present}
    changed = sorted(
        name for name, digest in digests.items() if digest not in (expected[name], manifest.next.get(name))
    )
    if changed:
        advice = advice if any(map(_is_in_backbone, changed)) else ""
        raise IntegrityError(f"{path.name}: bytes differ from the manifest in {changed}{advice}")
    if lacks_backbone:
        raise MissingBackboneError(f"{path.name}: the backbone is missing, {_advise(path)}")
    return digests


def _is_in_backbone(name: str) -> bool:
    return name.startswith(f"{BACKBONE_DIR}/")


def _advise(path: Path) -> str:
    return f"assemble it with: safevlm parts fetch --out {path}"


def reject_forbidden(path: Path) -> None:
    """Raise ForbiddenFileError for pickles and code below ``path``, IntegrityError for links and unreadable files."""
    for name in _find_files(path):
        file = path / name
        if file.is_symlink() or not file.is_file():
            raise IntegrityError(
                f"{path.name}: {name} is a link or not a regular file; a checkpoint contains only regular files"
            )
        if _can_execute(file):
            raise ForbiddenFileError(
                f"{path.name}: {name} could execute code when loaded; only safetensors are accepted"
            )


def _can_execute(file: Path) -> bool:
    if file.suffix.lower() in _FORBIDDEN_SUFFIXES:
        return True
    with _open(file) as stream:
        start = stream.read(9)
    # A safetensors file starts with the header length in eight bytes, which can look like a pickle, then a brace.
    safetensors = file.suffix == ".safetensors" and start.endswith(b"{")
    return start.startswith(_FORBIDDEN_STARTS) and not safetensors


def _find_files(path: Path) -> list[str]:
    """List the relative paths of all files but manifest and parts; links to directories count as files."""
    return sorted(
        file.relative_to(path).as_posix()
        for file in path.rglob("*")
        if (file.is_symlink() or not file.is_dir()) and file != path / MANIFEST and path / PARTS_DIR not in file.parents
    )


def _list_files(path: Path) -> list[str]:
    """List the files of a manifest: all but partly written ones, which a killed process left behind."""
    return [name for name in _find_files(path) if "/" in name or not name.endswith(PARTIAL)]


def _write_manifest(path: Path, manifest: Mapping[str, Mapping[str, str]]) -> None:
    _write_whole(path / MANIFEST, (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode())


def _write_whole(file: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    partial = file.with_name(file.name + PARTIAL)
    try:
        partial.write_bytes(content)
        partial.replace(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _read_manifest(file: Path) -> _Manifest:
    where = f"{file.parent.name}: {MANIFEST}"
    try:
        return _Manifest.model_validate(read_json(file))
    except FileNotFoundError as exc:
        raise IntegrityError(f"{where} is missing") from exc
    except ValidationError as exc:
        raise IntegrityError(f"{where}: {find_problem(exc)}") from exc
    except (OSError, ValueError) as exc:
        raise IntegrityError(f"{where} {describe_read_error(exc, 'JSON')}") from exc


def _compute_sha256(file: Path) -> str:
    with _open(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _open(file: Path) -> Iterator[BufferedReader]:
    try:
        with file.open("rb") as stream:
            yield stream
    except OSError as exc:
        raise IntegrityError(f"{file.parent.name}: {file.name} cannot be read ({exc.strerror})") from exc
