from pathlib import Path

import pytest

from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.measuring.answers import answer_items, load_picture
from safety_core.small.alignment.measuring.items import Crop, Item, list_items
from tests.helpers.datasets.photo_facts import make_photos
from tests.helpers.models.tiny_alignment import make_bare_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SafeLlava:
    return make_bare_model(tmp_path_factory.mktemp("bare") / "backbone")


def test_every_question_gets_an_answer_that_batches_do_not_change(model: SafeLlava, tmp_path: Path) -> None:
    photos = make_photos(tmp_path)
    items = list_items(photos, photos[:2], seed=1, limit=2)
    together = answer_items(model, items)
    assert len(together) == len(items)
    assert [answer_items(model, [item])[0] for item in items[:4]] == together[:4]


def test_pictures_are_square(tmp_path: Path) -> None:
    photo = make_photos(tmp_path)[0]
    crop = Crop(path=photo.path, box=(0.0, 0.25, 1.0, 0.75))
    item = Item(row="r", measure="named", cluster="c", picture=crop, question="?")
    picture = load_picture(item, (255, 0, 0))
    assert picture.width == picture.height
    assert picture.getpixel((0, 0)) == (255, 0, 0)
