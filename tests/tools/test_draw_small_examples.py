"""The drawn example pictures of safevlm-small are those that the program draws."""

from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
from PIL import Image

from tools.draw_small_examples import FOLDER, LONGEST, PHOTOGRAPH, draw_examples, write_examples

PHOTOGRAPHS = ("astronaut.jpg", "chelsea.jpg", PHOTOGRAPH, "rocket.jpg")
DRAWN = ("bank-card.jpg", "empty-bank-card.jpg", "empty-licence.jpg", "licence.jpg", "list.jpg", "notice.jpg")

TOLERANCE = 2.0
"""Mean difference of 256 grey levels: another version of FreeType or libjpeg rounds in another way."""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    copyfile(FOLDER / PHOTOGRAPH, folder / PHOTOGRAPH)
    write_examples(folder)
    return folder


@pytest.mark.parametrize("name", DRAWN)
def test_the_pictures_are_those_that_the_program_draws(drawn: Path, name: str) -> None:
    with Image.open(drawn / name) as again, Image.open(FOLDER / name) as shipped:
        assert again.size == shipped.size
        assert max(again.size) <= LONGEST
        difference = np.abs(np.asarray(again, dtype=float) - np.asarray(shipped, dtype=float))
    assert difference.mean() < TOLERANCE


def test_nothing_else_is_drawn() -> None:
    with Image.open(FOLDER / PHOTOGRAPH) as photograph:
        assert sorted(draw_examples(photograph.convert("RGB"))) == sorted(DRAWN)


def test_the_photographs_are_small() -> None:
    for name in PHOTOGRAPHS:
        with Image.open(FOLDER / name) as photograph:
            assert max(photograph.size) <= 384


def test_the_readme_says_where_every_picture_comes_from() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    files = {file.name for file in FOLDER.iterdir()} - {"README.md"}
    assert files == {*PHOTOGRAPHS, *DRAWN}
    assert all(f"`{name}`" in readme for name in files)
