"""What is refused before anything is decoded, and what decoding costs."""

from dataclasses import replace

import pytest
from PIL import Image

from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.inspection import inspect_image, parse_image
from safety_core.inputs.images.limits import ImageLimits
from service.settings import Settings
from tests.helpers.images.checks import decode_only_view, get_error_code
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.exif import SHORT, TAG, build_exif
from tests.helpers.images.pictures import draw_scene
from tests.helpers.images.png_files import build_png


def test_empty_and_oversized_files() -> None:
    assert get_error_code(b"") == "image_empty"
    assert get_error_code(encode_image(draw_scene()), max_bytes=10) == "image_too_large"


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "ICO", "PPM", "AVIF", "TGA", "PDF"])
def test_other_formats_are_refused_by_their_bytes(kind: str) -> None:
    assert get_error_code(encode_image(draw_scene(), kind)) == "image_format"


@pytest.mark.parametrize(
    "data", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe", b"8BPS\0\1", b"hello", b"\0"]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    assert get_error_code(data) == "image_format"


def test_pixels_are_counted_before_decoding() -> None:
    bomb = build_png(60_000, 60_000, depth=8, colour=2, rows=b"\0" * 100)
    assert get_error_code(bomb) == "image_too_large"
    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        assert get_error_code(encode_image(draw_scene(), kind), max_pixels=48 * 48 - 1) == "image_too_large"
        assert decode_only_view(encode_image(draw_scene(), kind), max_pixels=48 * 48).size == (48, 48)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_several_frames_are_refused(kind: str) -> None:
    frames = [draw_scene(), draw_scene().transpose(Image.Transpose.ROTATE_180)]
    assert get_error_code(encode_image(frames[0], kind, save_all=True, append_images=frames[1:])) == "image_animated"


def test_extreme_shapes_are_refused() -> None:
    assert get_error_code(encode_image(Image.new("RGB", (210, 10)))) == "image_aspect"
    assert decode_only_view(encode_image(Image.new("RGB", (200, 10)))).size == (200, 200)


def test_messages_do_not_quote_the_file() -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(b"\x89PNG\r\n\x1a\n" + b"SECRET" * 20)
    assert "SECRET" not in str(caught.value)


def cost(data: bytes, **limits: float) -> int:
    return inspect_image(data, limits=ImageLimits(**limits)).cost  # type: ignore[arg-type]


@pytest.mark.parametrize("progressive", [False, True])
def test_eight_photos_of_a_phone_are_within_the_budget_of_a_request(progressive: bool) -> None:
    noise = Image.effect_noise((500, 375), 60).resize((4000, 3000)).convert("RGB")
    photo = encode_image(noise, "JPEG", quality=80, progressive=progressive)
    assert 8 * cost(photo, max_side=336) <= Settings().max_request_pixels


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "JPEG"])
def test_the_dearest_picture_of_each_format_is_within_the_budget_of_a_request(kind: str) -> None:
    size = (5000, 5000)
    picture = Image.new("P" if kind == "GIF" else "RGB" if kind == "JPEG" else "RGBA", size)
    dear = inspect_image(encode_image(picture, kind, **({"lossless": True, "method": 0} if kind == "WEBP" else {})))
    file = replace(dear.file, data=bytes(dear.file.data).ljust(ImageLimits().max_bytes, b"\0"))
    assert file.width * file.height == ImageLimits().max_pixels
    assert replace(dear, file=file).cost <= Settings().max_request_pixels


def test_a_tiny_file_of_many_pixels_costs_its_pixels() -> None:
    tiny = encode_image(Image.new("RGBA", (2000, 2000), (1, 2, 3, 128)), "WEBP", lossless=True, method=0)
    assert len(tiny) < 100
    assert cost(tiny) > 2000 * 2000


def test_every_scan_of_a_jpeg_costs_a_pass_and_reducing_it_costs_less() -> None:
    data = encode_image(draw_scene(1600, 1200), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    many = data[:-2] + data[last:-2] * 40 + data[-2:]
    assert cost(many, max_side=100) > 3 * cost(data, max_side=100)
    plain = encode_image(draw_scene(1600, 1200), "JPEG")
    assert cost(plain, max_side=100) < cost(plain, max_side=1600) / 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_what_reaches_a_decoder_is_a_file_of_the_same_picture_without_metadata(kind: str) -> None:
    secret = b"SECRET words"
    options: dict[str, dict[str, object]]
    options = {"JPEG": {"comment": secret}, "GIF": {"comment": secret}, "WEBP": {"xmp": secret, "lossless": True}}
    data = encode_image(draw_scene(), kind, exif=build_exif((TAG, SHORT, 1, 1), behind=secret), **options.get(kind, {}))
    file = parse_image(data, max_segments=4096, max_scans=64)
    assert (file.kind, file.width, file.height) == (kind, 48, 48)
    assert secret in data
    assert secret not in file.data
    again = parse_image(file.data, max_segments=4096, max_scans=64)
    assert again.data == file.data
