from pathlib import Path

import pytest
from PIL import Image

from safety_core.lettering.bounded_reader import BoundedReader
from safety_core.lettering.framing import frame_lettering
from safety_core.small.evaluation.systems.lettering_texts import LetteringTexts
from tests.helpers.datasets.real_items import make_item
from tests.helpers.engine.readers import FakeReader


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (64, 64), "white").save(path)
    return path


def test_lettering_joins_the_prompt_in_the_guards_frame_and_is_read_once(tmp_path: Path, picture: Path) -> None:
    reader = FakeReader(texts=("Hello",))
    item = make_item("Do it.", picture=picture, lettered=True)
    for _ in range(2):  # the second object knows the file only
        texts = LetteringTexts(BoundedReader(reader), tmp_path / "build" / "lettering.jsonl")
        text, seconds = texts.compose(item)
        assert text == frame_lettering("Hello", "Do it.")
        assert seconds >= 0
    assert len(reader.sizes) == 1


def test_photographs_and_words_are_not_read_and_an_incomplete_line_is_ignored(tmp_path: Path, picture: Path) -> None:
    file = tmp_path / "lettering.jsonl"
    file.write_text('["other.jpg", "text", 0.1]\n["pict', encoding="utf-8")
    reader = FakeReader(texts=("Hello",))
    texts = LetteringTexts(BoundedReader(reader), file)
    assert texts.compose(make_item("Hm?", picture=picture)) == ("Hm?", 0.0)
    assert texts.compose(make_item("Words.")) == ("Words.", 0.0)
    assert not reader.sizes
    lettered = make_item("Hm?", picture=picture, lettered=True)
    assert LetteringTexts(None, file).compose(lettered) == ("Hm?", 0.0), "without a reader, the prompt alone"
