import shutil
from pathlib import Path

import pytest
from PIL import Image

from safety_core.data.sample_images import ImageRef, build_image_table, drop_unreadable, load_image
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import SampleError


def sample(name: str, *images: Path, line: int = 1) -> Sample:
    return Sample(
        id=name, images=images, conversation=(), label=RiskLabel(type=0, level=0), file="data.jsonl", line=line
    )


@pytest.fixture
def red(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 60), "red").save(path)
    return path


def test_pictures_are_padded_to_a_square_with_the_given_colour(red: Path) -> None:
    image = load_image(ImageRef(sample=sample("a", red), index=0), fill=(1, 2, 3))
    assert image.size == (60, 60)
    assert image.getpixel((0, 30)) == (1, 2, 3)
    assert image.getpixel((30, 30)) == (255, 0, 0)


def test_a_transparent_picture_is_taken_on_white(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(path)
    image = load_image(ImageRef(sample=sample("a", path), index=0))
    assert image.getpixel((20, 20)) == (255, 255, 255)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n cut short"])
def test_an_unreadable_picture_is_an_error_that_names_the_record(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(SampleError, match=r"^data.jsonl:7: image: "):
        load_image(ImageRef(sample=sample("a", path, line=7), index=0))


def test_a_vanished_picture_is_an_error(tmp_path: Path, red: Path) -> None:
    with pytest.raises(SampleError, match=r"image\[1\]: the image cannot be read"):
        build_image_table([sample("a", red, tmp_path / "gone.png")])


def test_the_same_content_is_one_picture(tmp_path: Path, red: Path) -> None:
    copy, blue = tmp_path / "copy.png", tmp_path / "blue.png"
    shutil.copy(red, copy)
    Image.new("RGB", (40, 40), "blue").save(blue)
    table = build_image_table([sample("a", red), sample("b"), sample("c", blue, copy), sample("d", red)])
    assert table.rows == ((0,), (), (1, 0), (0,))
    assert len(table.refs) == len(table.digests) == 2
    assert table.refs[1].sample.images[table.refs[1].index] == blue


def test_samples_with_unreadable_pictures_are_dropped_and_listed(tmp_path: Path, red: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    samples = [sample("a", red), sample("b", red, bad, line=2), sample("c"), sample("d", bad, line=4)]
    kept, errors = drop_unreadable(samples)
    assert [entry.id for entry in kept] == ["a", "c"]
    assert [(error.line, error.field) for error in errors] == [(2, "image[1]"), (4, "image")]
