import base64
from io import BytesIO
from pathlib import Path

from PIL import Image

from safety_core.dataset_audit.reporting.candidates import Candidate
from safety_core.dataset_audit.reporting.examples import ExampleMaker
from safety_core.dataset_audit.sources.item import Cursor
from safety_core.dataset_audit.sources.jsonl_source import JsonlSource
from safety_core.dataset_audit.sources.webdataset_source import WebDatasetSource
from safety_core.engine.guard import Guard
from tests.helpers.datasets.audit_sources import create_fields, draw_blocks, write_tar
from tests.helpers.images.encoding import encode_image, encode_jpeg_with_metadata


def create_maker(folder: Path, guard: Guard, members: dict[str, bytes]) -> ExampleMaker:
    return ExampleMaker(WebDatasetSource((write_tar(folder / "t.tar", members),), create_fields(folder)), guard, None)


def point_at(cursor: Cursor) -> Candidate:
    return Candidate(0.5, 0, "t.tar:1", cursor, "joint", "refused")


def decode_url(url: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))


def test_pictures_are_small_and_have_a_heatmap_of_their_size(tiny_guard: Guard, tmp_path: Path) -> None:
    members = {"1.png": encode_image(draw_blocks(1, size=(300, 150))), "1.txt": b"what is it?"}
    example = create_maker(tmp_path, tiny_guard, members).make_example(point_at(Cursor()))
    assert example.text == "what is it?"
    (picture,) = example.pictures
    assert (picture.width, picture.height) == (224, 112)
    assert decode_url(picture.url).size == (224, 112)
    assert picture.heatmap is not None
    assert decode_url(picture.heatmap).size == (224, 112)


def test_long_texts_are_shortened(tiny_guard: Guard, tmp_path: Path) -> None:
    example = create_maker(tmp_path, tiny_guard, {"1.txt": b"word " * 300}).make_example(point_at(Cursor()))
    assert example.text.endswith(" […]")
    assert len(example.text) < 620


def test_words_that_no_file_can_hold_are_shown(tiny_guard: Guard, tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text('{"text": "a\\udcffb"}\n')
    example = ExampleMaker(JsonlSource((file,), create_fields(tmp_path)), tiny_guard, None).make_example(
        point_at(Cursor())
    )
    assert example.text == "a\\udcffb"


def test_nothing_but_pixels_of_a_file_is_shown(tiny_guard: Guard, tmp_path: Path) -> None:
    maker = create_maker(tmp_path, tiny_guard, {"1.jpg": encode_jpeg_with_metadata("secret")})
    (picture,) = maker.make_example(point_at(Cursor())).pictures
    assert b"secret" not in base64.b64decode(picture.url.partition(",")[2])


def test_items_that_changed_meanwhile_are_shown_without_content(tiny_guard: Guard, tmp_path: Path) -> None:
    maker = create_maker(tmp_path, tiny_guard, {"1.png": b"broken", "2.txt": b"words"})
    assert maker.make_example(point_at(Cursor())).pictures == ()
    assert maker.make_example(point_at(Cursor(1))).text == ""
