import random
from pathlib import Path

import pytest
from PIL import Image

from safety_core.small.alignment.samples.collages import LAYOUTS, SIDE, arrange, draw_collage, save_collage
from safety_core.small.alignment.samples.photos import Photo


def make_plain(folder: Path, colours: dict[str, str]) -> list[Photo]:
    photos = []
    for name, colour in colours.items():
        path = folder / f"{name}.png"
        Image.new("RGB", (60, 40), colour).save(path)
        photos.append(Photo(id=name, path=path, main=None, shown=(), absent=()))
    return photos


@pytest.mark.parametrize("number", [2, 3, 4])
def test_photographs_stand_where_the_words_say(tmp_path: Path, number: int) -> None:
    photos = make_plain(tmp_path, {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff", "pink": "#ff00ff"})
    for seed in range(4):
        collage = arrange(photos[:number], random.Random(seed))
        picture = draw_collage(collage)
        assert picture.size == (SIDE, SIDE)
        for photo, where in collage.parts:
            across = 0.25 if "left" in where else 0.75 if "right" in where else 0.5
            if number == 3:
                across = {"left": 1 / 6, "middle": 0.5, "right": 5 / 6}[where.split()[-1]]
            down = 0.25 if "top" in where else 0.75 if "bottom" in where else 0.5
            with Image.open(photo.path) as source:
                assert picture.getpixel((round(across * SIDE), round(down * SIDE))) == source.getpixel((5, 5))


def test_cells_do_not_overlap() -> None:
    for layout in LAYOUTS:
        for one in layout:
            for other in layout:
                apart = one[3] <= other[1] or other[3] <= one[1] or one[4] <= other[2] or other[4] <= one[2]
                assert one is other or apart


def test_five_photographs_are_too_many(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two to four"):
        arrange(make_plain(tmp_path, {"red": "#ff0000"}) * 5, random.Random(0))


def test_a_collage_is_the_same_again(tmp_path: Path) -> None:
    photos = make_plain(tmp_path, {"red": "#ff0000", "green": "#00ff00"})
    for name in ("one.jpg", "two.jpg"):
        save_collage(arrange(photos, random.Random(3)), tmp_path / "out" / name)
    assert (tmp_path / "out/one.jpg").read_bytes() == (tmp_path / "out/two.jpg").read_bytes()
