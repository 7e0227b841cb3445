"""Hostile, odd and ordinary images from bytes to views."""

import hashlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageStat

from safety_core.errors import DeadlineError, ImageError
from safety_core.inputs.images.decoding import DecodedImage, decode_image, decode_inspected
from safety_core.inputs.images.inspection import inspect_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.inputs.images.views import pad_to_square
from tests.helpers.images.checks import decode_only_view, get_error_code, measure_difference
from tests.helpers.images.encoding import encode_image, encode_rotated
from tests.helpers.images.pictures import draw_scene


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
def test_each_accepted_format_gives_the_picture(kind: str) -> None:
    options: dict[str, object] = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})  # type: ignore[assignment]
    assert measure_difference(decode_only_view(encode_image(draw_scene(), kind, **options)), draw_scene()) <= 8


def test_decoded_image_carries_digest_and_original_size() -> None:
    data = encode_image(draw_scene(60, 40))
    decoded = decode_image(data)
    assert (decoded.width, decoded.height) == (60, 40)
    assert decoded.sha256 == hashlib.sha256(data).hexdigest()
    assert [view.size for view in decoded.views] == [(60, 60)]
    assert decoded.views[0].mode == "RGB"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_show_the_same_picture(orientation: int) -> None:
    decoded = decode_image(encode_rotated(draw_scene(40, 28), orientation))
    assert (decoded.width, decoded.height) == (40, 28)
    assert measure_difference(decoded.views[0], pad_to_square(draw_scene(40, 28))) == 0


def test_unknown_orientation_is_read_as_stored() -> None:
    assert measure_difference(decode_only_view(encode_rotated(draw_scene(), 77)), draw_scene()) == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_gives_both_pictures(mode: str) -> None:
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    ImageDraw.Draw(clear).rectangle((10, 10, 29, 29), fill=(0, 0, 0, 255))
    on_black, on_white = decode_image(encode_image(clear.convert(mode))).views
    assert on_black.getextrema() == ((0, 0),) * 3
    assert on_white.getpixel((20, 20)) == (0, 0, 0)
    assert on_white.getpixel((0, 0)) == (255, 255, 255)


def test_palette_transparency_gives_both_pictures() -> None:
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([250, 250, 250, 10, 10, 10])
    palette.paste(1, (10, 10, 30, 30))
    for kind in ("PNG", "GIF"):
        on_black, on_white = decode_image(encode_image(palette, kind, transparency=0)).views
        assert on_black.getpixel((0, 0)) == (0, 0, 0)
        assert on_white.getpixel((0, 0)) == (255, 255, 255)
        assert on_white.getpixel((20, 20)) == (10, 10, 10)


def test_an_opaque_alpha_channel_gives_one_picture() -> None:
    assert measure_difference(decode_only_view(encode_image(draw_scene().convert("RGBA"))), draw_scene()) == 0


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_truncated_files_are_refused(kind: str, share: float) -> None:
    data = encode_image(Image.effect_noise((64, 64), 90).convert("RGB"), kind)
    assert get_error_code(data[: int(len(data) * share)]) == "image_corrupt"


SEEDS = [
    encode_image(draw_scene(), "PNG"),
    encode_image(draw_scene(), "JPEG"),
    encode_image(draw_scene(), "GIF"),
    encode_image(draw_scene(), "WEBP"),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8))
@pytest.mark.filterwarnings("default")
def test_damaged_files_are_served_or_refused_but_never_crash(seed: bytes, damage: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for position, value in damage:
        data[position % len(data)] = value
    try:
        decoded = decode_image(bytes(data))
    except ImageError:
        return
    assert isinstance(decoded, DecodedImage)
    assert all(view.mode == "RGB" and view.width == view.height for view in decoded.views)


def test_the_module_stays_clear_of_torch() -> None:
    source = (Path(__file__).parents[4] / "safety_core" / "inputs" / "images" / "decoding.py").read_text()
    assert "torch" not in source
    assert "numpy" not in source


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(1600, 1200), (1200, 90), (673, 672)])
def test_a_jpeg_reduced_while_decoding_is_next_to_one_that_is_decoded_whole(mode: str, size: tuple[int, int]) -> None:
    blobs = Image.effect_noise((size[0] // 16, size[1] // 16), 120).resize(size, Image.Resampling.BICUBIC).convert(mode)
    data = encode_image(blobs, "JPEG", quality=90)
    with Image.open(BytesIO(data)) as file:
        whole = file.convert("RGB")
    longest = max(size)
    wanted = whole.resize((round(size[0] * 84 / longest), round(size[1] * 84 / longest)), Image.Resampling.BICUBIC)
    found = decode_only_view(data, max_side=84)
    left, top = (84 - wanted.width) // 2, (84 - wanted.height) // 2
    found = found.crop((left, top, left + wanted.width, top + wanted.height))
    off = ImageStat.Stat(ImageChops.difference(found, wanted))
    assert max(off.mean) < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_upright_and_of_their_size(kind: str, orientation: int) -> None:
    decoded = decode_image(encode_rotated(draw_scene(800, 560), orientation, kind), limits=ImageLimits(max_side=100))
    assert (decoded.width, decoded.height) == (800, 560)
    upright = decode_image(encode_image(draw_scene(800, 560), kind), limits=ImageLimits(max_side=100)).views[0]
    assert max(ImageStat.Stat(ImageChops.difference(decoded.views[0], upright)).mean) < 2


def test_a_job_is_asked_between_its_stages_whether_it_is_still_wanted() -> None:
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise DeadlineError("late")

    with pytest.raises(DeadlineError):
        decode_inspected(inspect_image(encode_image(draw_scene(400, 400))), check=check)
    assert len(calls) == 3


def test_want_of_memory_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", exhausted)
    with pytest.raises(MemoryError):
        decode_image(encode_image(draw_scene(2000, 2000)))
