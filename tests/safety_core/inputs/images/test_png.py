"""PNG files: checksums, chunks that may appear once, and chunks that decide no pixel."""

import struct
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.inspection import parse_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.inputs.images.png import scale_png_key
from tests.helpers.images.checks import decode_only_view, get_error_code, measure_difference
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.exif import SHORT, TAG, build_exif
from tests.helpers.images.pictures import draw_scene
from tests.helpers.images.png_files import build_png, build_png_chunk


def test_texts_of_a_png_are_dropped_unread_whatever_they_unpack_to() -> None:
    info = PngInfo()
    info.add_text("note", "a" * 3_000_000, zip=True)
    info.add_itxt("XML:com.adobe.xmp", "a" * 3_000_000, zip=True)
    assert measure_difference(decode_only_view(encode_image(draw_scene(), pnginfo=info)), draw_scene()) == 0


def test_too_many_chunks_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data, empty = encode_image(draw_scene()), build_png_chunk(b"teSt", b"")
    assert decode_only_view(data[:33] + empty * 4000 + data[33:]).size == (48, 48)
    monkeypatch.setattr(PngImageFile, "_open", lambda file: pytest.fail("it was read"))
    for at in (33, len(data) - 12):
        assert get_error_code(data[:at] + empty * 5000 + data[at:]) == "image_corrupt"


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS", b"iCCP", b"eXIf"])
def test_a_picture_that_is_described_twice_is_refused(kind: bytes) -> None:
    palette, profile = bytes([255, 0, 0, 0, 255, 0]), b"a\0\0" + zlib.compress(b"no profile")
    once = {b"PLTE": palette, b"tRNS": b"\xff", b"iCCP": profile, b"eXIf": build_exif((TAG, SHORT, 1, 1))}
    extra = b"".join(build_png_chunk(name, body) for name, body in once.items())
    sound = build_png(2, 2, depth=8, colour=3, rows=b"\0\0\1" * 2, extra=extra)
    assert decode_only_view(sound).size == (32, 32)
    twice = build_png(2, 2, depth=8, colour=3, rows=b"\0\0\1" * 2, extra=extra + build_png_chunk(kind, once[kind]))
    assert get_error_code(twice) == "image_corrupt"


@pytest.mark.parametrize("frames", [None, 0, 1, 2])
def test_a_png_with_a_further_frame_is_refused_whatever_its_header_says(frames: int | None) -> None:
    def control(number: int) -> bytes:
        return build_png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 2, 2, 0, 0, 1, 10, 0, 0))

    announced = b"" if frames is None else build_png_chunk(b"acTL", struct.pack(">II", frames, 0))
    hidden = control(0) + build_png_chunk(b"fdAT", struct.pack(">I", 1) + zlib.compress(b"\0\1\1" * 2))
    data = build_png(2, 2, depth=8, colour=0, rows=b"\0\1\1" * 2, extra=announced)
    assert get_error_code(data[:-12] + hidden + data[-12:]) == "image_animated"


def test_a_png_begins_with_its_header() -> None:
    data = encode_image(draw_scene())
    assert get_error_code(data[:8] + build_png_chunk(b"teSt", b"") + data[8:]) == "image_corrupt"
    with pytest.raises(ImageError):
        parse_image(data[:12], max_segments=9, max_scans=9)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_grey_key_means_the_same_in_every_depth(depth: int) -> None:
    brightest, width = 2**depth - 1, 16
    levels = [0, brightest] * (width // 2)
    bits = "".join(f"{level:0{depth}b}" for level in levels)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    key = build_png_chunk(b"tRNS", struct.pack(">H", brightest))
    data = build_png(width, width, depth=depth, colour=0, rows=row * width, extra=key)
    on_black, on_white = decode_image(data, limits=ImageLimits(min_side=1)).views
    assert [on_black.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0)] * 2
    assert [on_white.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_colour_key_means_the_same_in_every_depth(depth: int) -> None:
    clear, solid = (0x12, 0x34, 0x56), (0x34, 0x56, 0x78)
    lower = [] if depth == 8 else [0x9A]
    row = b"\0" + bytes(byte for value in (*clear, *solid) for byte in (value, *lower))
    key = struct.pack(">HHH", *(value if depth == 8 else value << 8 | 0x9A for value in clear))
    data = build_png(2, 2, depth=depth, colour=2, rows=row * 2, extra=build_png_chunk(b"tRNS", key))
    on_black, on_white = decode_image(data, limits=ImageLimits(min_side=1)).views
    assert [on_black.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), solid]
    assert [on_white.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), solid]


def test_an_index_of_a_palette_is_no_grey() -> None:
    data = build_png(2, 2, depth=2, colour=3, rows=b"\0\x10" * 2, extra=build_png_chunk(b"PLTE", bytes(12)))
    assert scale_png_key(data, "P", 1) == 1


def with_chunk(kind: bytes, body: bytes, *, at: int = 33, broken: bool = False) -> bytes:
    data, chunk = encode_image(draw_scene()), bytearray(build_png_chunk(kind, body))
    chunk[-1] ^= broken
    at = at if at >= 0 else len(data) + at
    return data[:at] + bytes(chunk) + data[at:]


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("at", [33, -12])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"tEXt", b"Comment\0hello"),
        (b"zTXt", b"note\0\0" + zlib.compress(b"a" * 3_000_000)),
        (b"zTXt", b"note\0\0no zlib"),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"a" * 3_000_000)),
        (b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
        (b"pHYs", b""),
        (b"tIME", b"x"),
        (b"gAMA", b""),
        (b"cHRM", b"x"),
        (b"sRGB", b""),
        (b"bKGD", b"x" * 99),
        (b"vpAg", b"private"),
        (b"iCCP", b"no profile"),
        (b"eXIf", b"no exif"),
    ],
)
def test_chunks_that_decide_no_pixel_may_hold_anything(kind: bytes, body: bytes, at: int, broken: bool) -> None:
    assert measure_difference(decode_only_view(with_chunk(kind, body, at=at, broken=broken)), draw_scene()) == 0


def test_a_profile_or_orientation_with_a_wrong_checksum_is_ignored() -> None:
    exif = build_exif((TAG, SHORT, 1, 3))
    assert measure_difference(decode_only_view(with_chunk(b"eXIf", exif, broken=True)), draw_scene()) == 0
    assert (
        measure_difference(
            decode_only_view(with_chunk(b"eXIf", exif)), draw_scene().transpose(Image.Transpose.ROTATE_180)
        )
        == 0
    )


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])
def test_checksums_of_what_decides_pixels_count(kind: bytes) -> None:
    extra = build_png_chunk(b"PLTE", bytes(range(6))) + build_png_chunk(b"tRNS", b"\x80")
    data = build_png(2, 2, depth=8, colour=3, rows=b"\0\0\1" * 2, extra=extra)
    assert len(decode_image(data).views) == 2
    at = data.index(kind) - 4
    end = at + 12 + int.from_bytes(data[at : at + 4], "big")
    wrong = data[: end - 1] + bytes((data[end - 1] ^ 1,)) + data[end:]
    if kind == b"IEND":  # nothing stands in it
        assert len(decode_image(wrong).views) == 2
    else:
        assert get_error_code(wrong) == "image_corrupt"


@pytest.mark.parametrize("interlaced", [False, True])
def test_the_checksum_of_the_pixels_counts(interlaced: bool) -> None:
    sizes = [(2, 2), (2, 2), (4, 2), (4, 4), (8, 4), (8, 8), (16, 8)] if interlaced else [(16, 16)]
    rows = b"".join((b"\0" + b"\x55" * columns) * count for columns, count in sizes)

    def file(pixels: bytes) -> bytes:
        header = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, interlaced)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            (build_png_chunk(b"IHDR", header), build_png_chunk(b"IDAT", pixels), build_png_chunk(b"IEND", b""))
        )

    pixels = zlib.compress(rows)
    assert decode_only_view(file(pixels)).getpixel((0, 0)) == (0x55, 0x55, 0x55)
    assert decode_only_view(file(pixels + b"surplus")).size == (32, 32)
    assert get_error_code(file(pixels[:-1] + bytes((pixels[-1] ^ 1,)))) == "image_corrupt"
    assert get_error_code(file(pixels[:-4])) == "image_corrupt"
    assert get_error_code(file(zlib.compress(rows[:-1]))) == "image_corrupt"
    assert get_error_code(file(zlib.compress(rows + bytes(2_000_000)))) == "image_corrupt"


@pytest.mark.parametrize(
    "change",
    [
        lambda data, idat, end: data[:33] + build_png_chunk(b"NEED", b"") + data[33:],
        lambda data, idat, end: (
            data[:idat]
            + build_png_chunk(b"IDAT", data[idat + 8 : idat + 20])
            + build_png_chunk(b"tEXt", b"a\0b")
            + build_png_chunk(b"IDAT", data[idat + 20 : end - 4])
            + data[end:]
        ),
        lambda data, idat, end: data[:end] + build_png_chunk(b"tRNS", b"\0\0\0\0\0\0") + data[end:],
        lambda data, idat, end: data[:end] + build_png_chunk(b"PLTE", b"\0\0\0") + data[end:],
        lambda data, idat, end: data[:24] + b"\x07" + data[25:],
    ],
)
def test_structures_that_programs_read_differently_are_refused(change: object) -> None:
    data = encode_image(draw_scene())
    idat = data.index(b"IDAT") - 4
    end = idat + 12 + int.from_bytes(data[idat : idat + 4], "big")
    assert get_error_code(change(data, idat, end)) == "image_corrupt"  # type: ignore[operator]


def test_pixels_may_come_in_many_pieces() -> None:
    data = encode_image(draw_scene())
    at = data.index(b"IDAT") - 4
    body = data[at + 8 : at + 8 + int.from_bytes(data[at : at + 4], "big")]
    pieces = [build_png_chunk(b"IDAT", body[start : start + 7]) for start in range(0, len(body), 7)]
    parts = [data[:at], build_png_chunk(b"IDAT", b""), *pieces, data[at + 12 + len(body) :]]
    assert measure_difference(decode_only_view(b"".join(parts)), draw_scene()) == 0
