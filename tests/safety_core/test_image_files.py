"""What is read of picture files by hand: counted, looked at once, and nothing of EXIF but the orientation."""

import struct
import tracemalloc
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from safety_core.errors import ImageError
from safety_core.image_files import orientation, png_key, read_picture_file
from safety_core.images import ImageLimits, decode
from tests.safety_core.test_images import difference, encoded, only_view, png, png_chunk, refusal, scene

TAG, SHORT, LONG = 0x0112, 3, 4


def tiff(*entries: tuple[int, int, int, int], order: str = "<", behind: bytes = b"") -> bytes:
    """EXIF of one directory of (tag, kind, count, value); numbers of two bytes stand at the start of their field."""
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack(f"{order}HHI", tag, kind, count)
        directory += struct.pack(f"{order}HH", value, 0) if kind == SHORT else struct.pack(f"{order}I", value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + directory + bytes(4) + behind


def with_exif(kind: str, exif: bytes) -> bytes:
    """A scene whose file carries these very bytes."""
    if kind == "WEBP":
        return encoded(scene(), kind, lossless=True, exif=exif)
    if kind == "PNG":
        data = encoded(scene())
        return data[:33] + png_chunk(b"eXIf", exif) + data[33:]
    data, body = encoded(scene(), "JPEG"), b""
    for start in range(0, len(exif), 65000):
        part = b"Exif\0\0" + exif[start : start + 65000]
        body += b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part
    # Without the leading JFIF segment, whose resolution would do: then Pillow looks for one in EXIF.
    return data[:2] + body + data[4 + int.from_bytes(data[4:6], "big") :]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_an_orientation_is_found_in_either_byte_order(order: str, turn: int) -> None:
    exif = tiff((0x010F, 2, 4, 0), (TAG, SHORT, 1, turn), (0x0132, 2, 4, 0), order=order)
    assert orientation(exif) == orientation(b"Exif\0\0" + exif) == turn


@pytest.mark.parametrize(
    "exif",
    [
        None,
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"II*\0" + struct.pack("<I", 0xFFFFFFFF),
        b"JUNK" + tiff((TAG, SHORT, 1, 6))[4:],
        tiff((TAG, LONG, 1, 6)),
        tiff((TAG, SHORT, 2, 6)),
        tiff((0x0113, SHORT, 1, 6)),
        tiff((TAG, SHORT, 1, 6))[:12],
    ],
)
def test_what_is_no_orientation_turns_nothing(exif: object) -> None:
    assert orientation(exif) == 1


def test_the_first_of_two_orientations_counts() -> None:
    assert orientation(tiff((TAG, SHORT, 1, 6), (TAG, SHORT, 1, 3))) == 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_format_is_turned_and_no_other_tag_is_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Exif, "load", lambda exif, data: pytest.fail("all of it was read"))
    upright, turned = (only_view(with_exif(kind, tiff((TAG, SHORT, 1, turn)))) for turn in (1, 3))
    assert difference(upright.transpose(Image.Transpose.ROTATE_180), turned) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_metadata_that_refer_to_each_other_fill_no_memory(kind: str) -> None:
    behind = bytes(300_000)
    tags = [(1000 + number, 7, len(behind), 8 + 6 + 12 * 1000) for number in range(1000)]
    data = with_exif(kind, tiff(*tags, behind=behind))
    tracemalloc.start()
    try:
        assert only_view(data).size == (48, 48)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data)
    finally:
        tracemalloc.stop()


def test_too_many_chunks_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data, empty = encoded(scene()), png_chunk(b"teSt", b"")
    assert only_view(data[:33] + empty * 4000 + data[33:]).size == (48, 48)
    monkeypatch.setattr(PngImageFile, "_open", lambda file: pytest.fail("it was read"))
    for at in (33, len(data) - 12):
        assert refusal(data[:at] + empty * 5000 + data[at:]) == "image_corrupt"


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS", b"iCCP", b"eXIf"])
def test_a_picture_that_is_described_twice_is_refused(kind: bytes) -> None:
    palette, profile = bytes([255, 0, 0, 0, 255, 0]), b"a\0\0" + zlib.compress(b"no profile")
    once = {b"PLTE": palette, b"tRNS": b"\xff", b"iCCP": profile, b"eXIf": tiff((TAG, SHORT, 1, 1))}
    extra = b"".join(png_chunk(name, body) for name, body in once.items())
    sound = png(2, 2, depth=8, colour=3, rows=b"\0\0\1" * 2, extra=extra)
    assert only_view(sound).size == (32, 32)
    twice = png(2, 2, depth=8, colour=3, rows=b"\0\0\1" * 2, extra=extra + png_chunk(kind, once[kind]))
    assert refusal(twice) == "image_corrupt"


@pytest.mark.parametrize("frames", [None, 0, 1, 2])
def test_a_png_with_a_further_frame_is_refused_whatever_its_header_says(frames: int | None) -> None:
    def control(number: int) -> bytes:
        return png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 2, 2, 0, 0, 1, 10, 0, 0))

    announced = b"" if frames is None else png_chunk(b"acTL", struct.pack(">II", frames, 0))
    hidden = control(0) + png_chunk(b"fdAT", struct.pack(">I", 1) + zlib.compress(b"\0\1\1" * 2))
    data = png(2, 2, depth=8, colour=0, rows=b"\0\1\1" * 2, extra=announced)
    assert refusal(data[:-12] + hidden + data[-12:]) == "image_animated"


def test_a_png_begins_with_its_header() -> None:
    data = encoded(scene())
    assert refusal(data[:8] + png_chunk(b"teSt", b"") + data[8:]) == "image_corrupt"
    with pytest.raises(ImageError):
        read_picture_file(data[:12], max_segments=9, max_scans=9)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_grey_key_means_the_same_in_every_depth(depth: int) -> None:
    brightest, width = 2**depth - 1, 16
    levels = [0, brightest] * (width // 2)
    bits = "".join(f"{level:0{depth}b}" for level in levels)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    key = png_chunk(b"tRNS", struct.pack(">H", brightest))
    data = png(width, width, depth=depth, colour=0, rows=row * width, extra=key)
    on_black, on_white = decode(data, limits=ImageLimits(min_side=1)).views
    assert [on_black.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0)] * 2
    assert [on_white.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_colour_key_means_the_same_in_every_depth(depth: int) -> None:
    clear, solid = (0x12, 0x34, 0x56), (0x34, 0x56, 0x78)
    lower = [] if depth == 8 else [0x9A]
    row = b"\0" + bytes(byte for value in (*clear, *solid) for byte in (value, *lower))
    key = struct.pack(">HHH", *(value if depth == 8 else value << 8 | 0x9A for value in clear))
    data = png(2, 2, depth=depth, colour=2, rows=row * 2, extra=png_chunk(b"tRNS", key))
    on_black, on_white = decode(data, limits=ImageLimits(min_side=1)).views
    assert [on_black.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), solid]
    assert [on_white.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), solid]


def test_an_index_of_a_palette_is_no_grey() -> None:
    data = png(2, 2, depth=2, colour=3, rows=b"\0\x10" * 2, extra=png_chunk(b"PLTE", bytes(12)))
    assert png_key(data, "P", 1) == 1
