"""JPEG files: segments, scans, fill bytes and junk."""

import random
import re
import sys

import pytest
from PIL.JpegImagePlugin import JpegImageFile

from safety_core.errors import ImageError
from safety_core.inputs.images import jpeg
from safety_core.inputs.images.inspection import parse_image
from safety_core.inputs.images.limits import ImageLimits
from tests.helpers.images.checks import decode_only_view, get_error_code, measure_difference
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import draw_scene


def test_too_many_scans_are_refused() -> None:
    data = encode_image(draw_scene(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    assert get_error_code(data[:-2] + scan * 80 + data[-2:]) == "image_corrupt"
    assert decode_only_view(data).size == (48, 48)
    feigned_end = b"\xff\xfe\0\4\xff\xd9"
    assert decode_only_view(data[:2] + feigned_end + data[2:]).size == (48, 48)
    assert get_error_code(data[:2] + feigned_end + data[2:-2] + feigned_end + scan * 80 + data[-2:]) == "image_corrupt"


def test_a_motion_photo_is_the_picture_before_its_video() -> None:
    photo, video = encode_image(draw_scene(), "JPEG"), random.Random(0).randbytes(8_000_000)
    assert video.count(b"\xff\xda") > ImageLimits().max_scans
    assert measure_difference(decode_only_view(photo + video), decode_only_view(photo)) == 0
    progressive = encode_image(draw_scene(), "JPEG", progressive=True)
    scans = progressive[progressive.index(b"\xff\xda") : -2] * 80
    assert measure_difference(decode_only_view(progressive + scans), decode_only_view(progressive)) == 0


def test_scans_of_a_preview_in_the_metadata_are_not_the_pictures() -> None:
    photo = encode_image(draw_scene(), "JPEG", comment=b"\xff\xda" * 100)
    assert measure_difference(decode_only_view(photo), decode_only_view(encode_image(draw_scene(), "JPEG"))) == 0


@pytest.mark.parametrize(
    # Alone, behind markers that have no length although one seems to follow that skips them, and behind an early end.
    "before",
    [b"", b"\xff\xd8\xff\xff", b"\xff\xc8\xff\xff", b"\xff\xf0\xff\xff", b"\xff\xd9"],
)
def test_too_many_segments_are_refused_before_they_are_read(before: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_image(draw_scene(), "JPEG")
    empty = b"\xff\xfe\0\2"
    assert decode_only_view(data[:2] + empty * 1000 + data[2:]).size == (48, 48)
    monkeypatch.setattr(JpegImageFile, "_open", lambda file: pytest.fail("it was read"))
    rest = b"\xff\xfe" + (0xFFFF - 2 - 4 * 5000 - 2).to_bytes(2, "big")
    hidden = empty * 5000 + rest.ljust(0xFFFF - 2 - 4 * 5000, b"\0")
    assert get_error_code(data[:2] + before + hidden + data[2:]) == "image_corrupt"


def segment(code: int, body: bytes) -> bytes:
    return bytes((0xFF, code)) + (len(body) + 2).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    "metadata",
    [
        segment(0xFE, b"comment\xff\xd9\xff\xda"),
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM" * 9000),
        segment(0xE1, b"Exif\0\0" + b"\xff" * 60_000),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<x" * 20_000),
        segment(0xE2, b"MPF\0" + bytes(50)),
        segment(0xE2, b"ICC_PROFILE\0\1\2no profile"),
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE0, b"JFXX\0"),
        segment(0xE5, b""),
        b"\xff" * 30,
        b"\0" * 500,
    ],
)
def test_segments_that_decide_no_pixel_may_hold_anything(metadata: bytes) -> None:
    data = encode_image(draw_scene(), "JPEG")
    assert measure_difference(decode_only_view(data[:20] + metadata + data[20:]), decode_only_view(data)) == 0


@pytest.mark.parametrize(
    ("place", "piece", "count"),
    [
        ("scan", b"\xff", 1000), ("scan", b"\xff", 3_000_000),
        ("header", b"\xff", 1000), ("header", b"\xff", 3_000_000),
        ("header", b"\0", 3_000_000), ("header", b"a", 3_000_000), ("header", b"\xff\0", 3_000_000),
        ("header", b"\xff\xd0", 3_000_000),
    ],
)  # fmt: skip
def test_fill_and_junk_are_refused_before_anything_is_decoded(
    place: str, piece: bytes, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode_image(draw_scene(), "JPEG")
    at = 20 if place == "header" else len(data) - 2  # behind the first segment, or before the end
    monkeypatch.setattr(JpegImageFile, "_open", lambda file: pytest.fail("it was read"))
    assert get_error_code(data[:at] + piece * count + data[at:]) == "image_corrupt"


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_image(draw_scene(), "JPEG")
    monkeypatch.setattr(JpegImageFile, "_open", lambda file: pytest.fail("it was read"))
    tables = segment(0xDB, (b"\0" + bytes(range(1, 65))) * 1000)
    assert get_error_code(data[:2] + tables * 3 + data[2:]) == "image_corrupt"


def test_a_jpeg_that_is_described_twice_is_refused() -> None:
    data = encode_image(draw_scene(), "JPEG")
    at = data.index(b"\xff\xc0")
    header = data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    assert get_error_code(data[:at] + header + data[at:]) == "image_corrupt"


JPEG = encode_image(draw_scene(), "JPEG")


@pytest.mark.parametrize("shift", range(-70, 71, 5))
def test_markers_are_found_wherever_slices_of_a_search_end(shift: int) -> None:
    start = JPEG.index(b"\xff\xda")
    end = start + 2 + int.from_bytes(JPEG[start + 2 : start + 4], "big")
    scan = JPEG[:end] + b"a" * (jpeg._MARKER_SLICE + shift)
    kept = parse_image(scan + b"\xff\xd9" + b"rest", max_segments=100, max_scans=4).data
    assert kept.endswith(b"a\xff\xd9")
    with pytest.raises(ImageError, match="fill bytes"):
        parse_image(scan + b"\xff" * 70 + b"\xd9", max_segments=100, max_scans=4)
    with pytest.raises(ImageError, match="more than 1 scans"):
        parse_image(scan + JPEG[start:end] + b"\xff\xd9", max_segments=100, max_scans=1)


def test_a_long_scan_is_searched_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # A search holds the interpreter lock from its beginning to its end.
    pattern, spans = jpeg._NEXT_MARKER, list[int]()

    class Recorded:
        def search(self, data: bytes, at: int, end: int = sys.maxsize) -> re.Match[bytes] | None:
            spans.append(min(end, len(data)) - at)
            return pattern.search(data, at, end)

    monkeypatch.setattr(jpeg, "_NEXT_MARKER", Recorded())
    parse_image(JPEG[:-2] + b"\xff\x00" * 500_000 + b"\xff\xd9", max_segments=100, max_scans=4)
    assert max(spans) <= 64 * 1024
