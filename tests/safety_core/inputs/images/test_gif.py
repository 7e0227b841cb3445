"""GIF files: blocks, extensions and frames."""

import random
import struct

import pytest
from PIL import Image

from safety_core.inputs.images.limits import ImageLimits
from tests.helpers.images.checks import decode_only_view, get_error_code, measure_difference
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import draw_scene


def test_a_gif_frame_beyond_its_screen_is_counted() -> None:
    gif = bytearray(encode_image(draw_scene(), "GIF"))
    at = gif.index(b"\x2c\0\0\0\0")
    gif[at + 5 : at + 9] = struct.pack("<HH", 60_000, 60_000)
    assert get_error_code(bytes(gif)) == "image_too_large"


@pytest.mark.parametrize("block", [b"!\xfe" + b"\1a" * 30_000 + b"\0", b"!\xfe\1a\0" * 15_000, b"!\1\1\0\0" * 15_000])
@pytest.mark.parametrize("before", [b",", b";"])
def test_blocks_of_a_gif_are_counted_while_they_are_read(block: bytes, before: bytes) -> None:
    data = encode_image(draw_scene(), "GIF")
    at = data.index(before + b"\0\0\0\0") if before == b"," else len(data) - 1
    assert decode_only_view(data[:at] + block + data[at:], max_segments=70_000).size == (48, 48)
    assert get_error_code(data[:at] + block + data[at:]) == "image_corrupt"


def test_a_large_gif_is_served() -> None:
    noise = Image.frombytes("L", (1500, 1500), random.Random(0).randbytes(1500 * 1500))
    data = encode_image(noise, "GIF")
    assert len(data) > 255 * ImageLimits().max_segments
    assert decode_only_view(data, max_segments=100).size == (1344, 1344)


@pytest.mark.parametrize("disposal", [2, 3])
def test_a_gif_frame_costs_nothing_before_it_is_refused(disposal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gif = bytearray(encode_image(draw_scene(), "GIF", disposal=disposal, transparency=1))
    at = gif.index(b"\x2c\0\0\0\0")
    gif[at + 5 : at + 9] = struct.pack("<HH", 9_000, 9_000)
    monkeypatch.setattr("PIL.Image.core.fill", lambda *args: pytest.fail("memory was taken"))
    assert get_error_code(bytes(gif)) == "image_too_large"


def test_extensions_of_a_gif_that_decide_no_pixel_may_hold_anything() -> None:
    data = encode_image(draw_scene().quantize(8), "GIF")
    at = data.index(b"\x2c\0\0\0\0")
    plain = decode_only_view(data)
    extras = (b"!\xfe\5hello\0", b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0", b"!\xff\x0bXMP DataXMP\1a\0", b"!\x77\0", bytes(99))
    for extra in extras:
        assert measure_difference(decode_only_view(data[:at] + extra + data[at:]), plain) == 0
        assert measure_difference(decode_only_view(data[:-1] + extra + data[-1:]), plain) == 0
    assert get_error_code(data[:at] + b"\0" * 5_000_000 + data[at:]) == "image_corrupt"
    assert measure_difference(decode_only_view(data[:-1] + b"\1" * 5_000_000), plain) == 0
    clear, other = b"!\xf9\4\1\0\0\0\0", b"!\xf9\4\0\0\0\0\0"
    assert get_error_code(data[:at] + clear + other + data[at:]) == "image_corrupt"
