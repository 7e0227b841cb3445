from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from safety_core.small.build.pasted_photographs import list_pasted_photographs
from safety_core.small.corpus.records import Record

SAFE, WEAPON = ("safe", 0), ("illegal", 1)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Record]:
    """A red photograph of a weapon, and two blue harmless ones."""
    records = []
    for name, source, label, colour in (
        ("gun", "guns", WEAPON, "red"),
        ("dog", "coco", SAFE, "blue"),
        ("cat", "coco", SAFE, "blue"),
    ):
        file = tmp_path / f"{name}.png"
        Image.new("RGB", (120, 90), colour).save(file)
        records.append(
            Record(id=f"{source}/{name}", source=source, surface="photo", label=label, photo=file, split="train")
        )
    return records


def count_reddish(record: Record) -> int:
    assert record.photo is not None
    with Image.open(record.photo) as image:
        red, _, blue = (np.asarray(band, dtype=int) for band in image.convert("RGB").split())
    return int((red > blue + 60).sum())


def test_a_pasted_weapon_keeps_its_label_and_a_twin_without_it_is_harmless(
    photographs: list[Record], tmp_path: Path
) -> None:
    made = list(list_pasted_photographs(photographs, tmp_path / "out", seed=0))
    weapons = [record for record in made if record.source == "guns+coco"]
    twins = [record for record in made if record.source == "coco"]
    assert len(weapons) == len(twins) > 1
    assert {record.label for record in weapons} == {WEAPON}
    assert {record.label for record in twins} == {SAFE}
    assert not any(map(count_reddish, twins))
    variants = [record for record in made if record.source == "guns"]
    assert [record.label for record in variants] == [WEAPON] * 3
    assert len({record.id for record in made} | {record.photo for record in made}) == 2 * len(made)


def test_pictures_are_drawn_once_and_come_again(photographs: list[Record], tmp_path: Path) -> None:
    first = list(list_pasted_photographs(photographs, tmp_path / "out", seed=0))
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out" / next(iter(files))).unlink()
    assert list(list_pasted_photographs(photographs, tmp_path / "out", seed=0)) == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files


def test_photographs_without_weapons_are_not_pasted(photographs: list[Record], tmp_path: Path) -> None:
    assert not list(list_pasted_photographs(photographs[1:], tmp_path / "out", seed=0))
