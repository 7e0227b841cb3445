"""A checkpoint for which questions about round things, and pictures of them, are familiar."""

import shutil
from pathlib import Path

import pytest

from safety_core.data.jsonl import write_jsonl
from safety_core.novelty.fitting import fit_checkpoint
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import draw_ellipse

FAMILIAR = 260
"""Texts and pictures of each file."""


def write_samples(folder: Path) -> tuple[Path, Path]:
    """Questions about round things, with a picture of one each, in two files."""
    things = ("knife", "apple", "hand", "shirt", "table", "wall", "lamp", "ring")
    folder.mkdir()
    files = []
    for name in ("familiar", "held-out"):
        rows = []
        for index in range(FAMILIAR):
            shade = (40 + index % 200, 200 - index % 150, 30 + index // 3)
            picture = folder / f"{name}-{index}.png"
            picture.write_bytes(encode_image(draw_ellipse(f"rgb{shade}", (28, 28))))
            words = (
                f"What {things[index % 8]} is {name} in the picture number {index}, and is it a {things[index // 33]}?"
            )
            row = {"conversations": [{"from": "USER", "value": words}], "safe_type": 0, "safe_level": 0}
            rows += [{"id": f"t{index}", "image": [], **row}, {"id": f"p{index}", "image": [picture.name], **row}]
        files.append(folder / f"{name}.jsonl")
        write_jsonl(files[-1], rows)
    return files[0], files[1]


@pytest.fixture(scope="package")
def familiar_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file to fit to, and one of the same kind that is held out."""
    return write_samples(tmp_path_factory.mktemp("novelty") / "samples")


@pytest.fixture(scope="package")
def fitted(
    reading_checkpoint: Path, familiar_files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A checkpoint that measures novelty; do not write into it."""
    checkpoint = tmp_path_factory.mktemp("fitted") / "fitted"
    shutil.copytree(reading_checkpoint, checkpoint)
    fit_checkpoint(checkpoint, [familiar_files[0]], [familiar_files[1]], limit=FAMILIAR)
    return checkpoint
