"""WebP files: chunks that decide no pixel, and damage."""

import struct

from tests.helpers.images.checks import decode_only_view, get_error_code, measure_difference
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.exif import SHORT, TAG, build_exif
from tests.helpers.images.pictures import draw_scene


def webp_parts(data: bytes) -> list[bytes]:
    parts, at = [], 12
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        parts.append(data[at : at + 8 + size + (size & 1)])
        at += len(parts[-1])
    return parts


def riff(parts: list[bytes]) -> bytes:
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_chunks_of_a_webp_that_decide_no_pixel_may_hold_anything() -> None:
    parts = webp_parts(
        encode_image(draw_scene(), "WEBP", lossless=True, exif=build_exif((TAG, SHORT, 1, 1)), xmp=b"<x/>")
    )
    junk = [struct.pack("<4sI", kind, 10) + b"\xff" * 10 for kind in (b"XMP ", b"EXIF", b"ICCP", b"junk")]
    assert measure_difference(decode_only_view(riff(parts + junk)), draw_scene()) == 0
    assert measure_difference(decode_only_view(riff(parts) + b"trailing"), draw_scene()) == 0
    assert get_error_code(riff([*parts, parts[1]])) == "image_corrupt"
    assert get_error_code(riff(parts + [struct.pack("<4sI", b"junk", 0)] * 5000)) == "image_corrupt"
    assert get_error_code(riff(parts)[:-6]) == "image_corrupt"
