from pathlib import Path

from PIL import Image

from safety_core.evaluation.benchmarks.run_files import THUMBNAILS_FOLDER
from safety_core.evaluation.benchmarks.running.thumbnails import SIDE, write_thumbnails
from tests.helpers.benchmarks.ability_sets import encode_picture
from tests.helpers.benchmarks.items import make_item, make_picture


def test_thumbnails_are_small_and_written_once(tmp_path: Path) -> None:
    item = make_item(picture=make_picture(tmp_path / "in", encode_picture(side=900)))
    write_thumbnails(tmp_path, item)
    (file,) = (tmp_path / THUMBNAILS_FOLDER).iterdir()
    with Image.open(file) as image:
        assert max(image.size) <= SIDE
        assert image.format == "JPEG"
    file.write_bytes(b"kept")
    write_thumbnails(tmp_path, item)
    assert file.read_bytes() == b"kept"


def test_words_have_none(tmp_path: Path) -> None:
    write_thumbnails(tmp_path, make_item())
    assert not (tmp_path / THUMBNAILS_FOLDER).exists()
