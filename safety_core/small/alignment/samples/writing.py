"""Writes planned samples as the project's JSONL, and draws their collages beside it.

Paths of photographs are absolute, so the file belongs into a build folder and is never committed.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from safety_core.data.jsonl import write_jsonl
from safety_core.small.alignment.samples.collages import Collage, save_collage
from safety_core.small.alignment.samples.photos import Photo
from safety_core.small.alignment.samples.planning import PlannedSample, SamplePlanner
from safety_core.taxonomy import DEFAULT_TAXONOMY

_HARMLESS = {"type": DEFAULT_TAXONOMY.safe_index, "level": 0}


def write_samples(photos: Sequence[Photo], file: Path, *, total: int, seed: int) -> int:
    """Plan and write samples about photographs; returns their number.

    Args:
        photos: what is known about each photograph.
        file: the file to write; collages go into the folder of the same name beside it.
        total: number of samples wanted.
        seed: seed of all choices.
    """
    planned = SamplePlanner(photos, seed).plan(total)
    pictures = file.with_suffix("")
    file.parent.mkdir(parents=True, exist_ok=True)
    return write_jsonl(file, _list_records(planned, pictures))


def _list_records(planned: Sequence[PlannedSample], pictures: Path) -> Iterator[dict[str, Any]]:
    for number, sample in enumerate(planned):
        exchange = sample.exchange
        yield {
            "id": f"{exchange.kind}/{number:05}",
            "image": _find_picture(sample.picture, pictures),
            "conversations": [
                {"from": "USER", "value": exchange.question},
                {"from": "ASSISTANT", "value": exchange.answer},
            ],
            "safe_type": _HARMLESS["type"],
            "safe_level": _HARMLESS["level"],
            "image_risk": _HARMLESS,
            "source": f"alignment/{exchange.kind}",
        }


def _find_picture(picture: Photo | Collage, pictures: Path) -> str:
    """Path of a photograph; draws a collage, whose file is named by its content, if there is none yet."""
    if isinstance(picture, Photo):
        return str(picture.path.resolve())
    parts = "\n".join(f"{photo.id} {where}" for photo, where in picture.parts)
    name = hashlib.sha256(f"{parts}\n{picture.canvas}".encode()).hexdigest()[:16]
    file = pictures / f"{name}.jpg"
    if not file.exists():
        save_collage(picture, file)
    return f"{pictures.name}/{file.name}"
