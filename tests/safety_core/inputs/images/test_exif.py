"""The orientation in EXIF, and no other tag."""

import struct
import tracemalloc

import pytest
from PIL import Image

from safety_core.inputs.images.exif import read_orientation
from tests.helpers.images.checks import decode_only_view, measure_difference
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.exif import LONG, SHORT, TAG, build_exif
from tests.helpers.images.pictures import draw_scene
from tests.helpers.images.png_files import build_png_chunk


def with_exif(kind: str, exif: bytes) -> bytes:
    """A scene whose file carries these very bytes."""
    if kind == "WEBP":
        return encode_image(draw_scene(), kind, lossless=True, exif=exif)
    if kind == "PNG":
        data = encode_image(draw_scene())
        return data[:33] + build_png_chunk(b"eXIf", exif) + data[33:]
    data, body = encode_image(draw_scene(), "JPEG"), b""
    for start in range(0, len(exif), 65000):
        part = b"Exif\0\0" + exif[start : start + 65000]
        body += b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part
    # Without the leading JFIF segment, whose resolution would do: then Pillow looks for one in EXIF.
    return data[:2] + body + data[4 + int.from_bytes(data[4:6], "big") :]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_an_orientation_is_found_in_either_byte_order(order: str, turn: int) -> None:
    exif = build_exif((0x010F, 2, 4, 0), (TAG, SHORT, 1, turn), (0x0132, 2, 4, 0), order=order)
    assert read_orientation(exif) == read_orientation(b"Exif\0\0" + exif) == turn


@pytest.mark.parametrize(
    "exif",
    [
        None,
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"II*\0" + struct.pack("<I", 0xFFFFFFFF),
        b"JUNK" + build_exif((TAG, SHORT, 1, 6))[4:],
        build_exif((TAG, LONG, 1, 6)),
        build_exif((TAG, SHORT, 2, 6)),
        build_exif((0x0113, SHORT, 1, 6)),
        build_exif((TAG, SHORT, 1, 6))[:12],
    ],
)
def test_what_is_no_orientation_turns_nothing(exif: object) -> None:
    assert read_orientation(exif) == 1


def test_the_first_of_two_orientations_counts() -> None:
    assert read_orientation(build_exif((TAG, SHORT, 1, 6), (TAG, SHORT, 1, 3))) == 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_format_is_turned_and_no_other_tag_is_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Exif, "load", lambda exif, data: pytest.fail("all of it was read"))
    upright, turned = (decode_only_view(with_exif(kind, build_exif((TAG, SHORT, 1, turn)))) for turn in (1, 3))
    assert measure_difference(upright.transpose(Image.Transpose.ROTATE_180), turned) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_metadata_that_refer_to_each_other_fill_no_memory(kind: str) -> None:
    behind = bytes(300_000)
    tags = [(1000 + number, 7, len(behind), 8 + 6 + 12 * 1000) for number in range(1000)]
    data = with_exif(kind, build_exif(*tags, behind=behind))
    tracemalloc.start()
    try:
        assert decode_only_view(data).size == (48, 48)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data)
    finally:
        tracemalloc.stop()
