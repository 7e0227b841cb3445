"""Photographs pasted into others, so that a weapon is learned rather than the style of the set that shows weapons.

Most weapons of the corpus come from one set, whose photographs resemble each other. A weapon's photograph pasted into a
harmless one is a weapon in another setting; the same with a harmless photograph in its place is harmless. Variants of
the weapon's own photograph are cropped, mirrored and tinted. Deterministic for a seed; knows no model.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

from safety_core.small.corpus.records import Record

_SIDE = 384
"""Pixels of the longer side; the tower sees 260."""

_VARIANTS, _PASTED = 3, 3
"""Pictures of each weapon's photograph by itself, and within a harmless one."""

_SHARES = (0.25, 0.8)
"""Side of the pasted photograph as a share of the other's."""

_QUALITY = 90


def list_pasted_photographs(photographs: Sequence[Record], folder: Path, *, seed: int) -> Iterator[Record]:
    """Draw the pictures that ``folder`` lacks, and list all.

    Args:
        photographs: labelled photographs of a split.
        folder: created if missing.
        seed: chooses photographs, places and sizes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    risky = [record for record in photographs if record.label is not None and record.label[1]]
    calm = [record for record in photographs if record.label is not None and not record.label[1]]
    for record in risky:
        rng = random.Random(f"{seed}/pasted/{record.id}")
        for index in range(_VARIANTS):
            yield _draw_variant(record, folder, f"variant{index}", rng)
        for index in range(_PASTED if calm else 0):
            ground, twin = rng.choice(calm), rng.choice(calm)
            place = rng.uniform(*_SHARES), rng.random(), rng.random()
            yield _draw_pasted(record, ground, folder, f"pasted{index}", place, rng)
            yield _draw_pasted(twin, ground, folder, f"twin{index}-{_name(record)}", place, rng)


def _draw_variant(record: Record, folder: Path, name: str, rng: random.Random) -> Record:
    file = folder / f"{_name(record)}-{name}.jpg"
    seed = rng.random()
    if not file.exists():
        _change(_open(record), random.Random(seed)).save(file, quality=_QUALITY)
    return replace(record, id=f"{record.id}+{name}", photo=file)


def _draw_pasted(
    record: Record, ground: Record, folder: Path, name: str, place: tuple[float, float, float], rng: random.Random
) -> Record:
    """Draw a photograph within another; the label is its own, the source names the sets of both."""
    file = folder / f"{_name(record)}-{name}.jpg"
    seed = rng.random()
    if not file.exists():
        canvas = _open(ground)
        share, right, down = place
        part = _change(_open(record), random.Random(seed))
        part.thumbnail((max(1, round(canvas.width * share)), max(1, round(canvas.height * share))))
        corner = round((canvas.width - part.width) * right), round((canvas.height - part.height) * down)
        canvas.paste(part, corner)
        canvas.save(file, quality=_QUALITY)
    source = "+".join(dict.fromkeys((record.source, ground.source)))
    return replace(record, id=f"{record.id}+{name}", photo=file, source=source)


def _change(image: Image.Image, rng: random.Random) -> Image.Image:
    """Crop up to a fifth of either side, mirror every other picture, and change brightness and colours a little."""
    left, top = rng.uniform(0, 0.1) * image.width, rng.uniform(0, 0.1) * image.height
    right, bottom = rng.uniform(0.9, 1) * image.width, rng.uniform(0.9, 1) * image.height
    image = image.crop((round(left), round(top), round(right), round(bottom)))
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.75, 1.25))
    return ImageEnhance.Color(image).enhance(rng.choice((0.0, rng.uniform(0.5, 1.3), 1.0)))


def _open(record: Record) -> Image.Image:
    assert record.photo is not None, "only photographs are pasted"
    with Image.open(record.photo) as source:
        image = source.convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    return image


def _name(record: Record) -> str:
    return record.id.replace("/", "-")
