"""What is read of picture files by hand: counted, looked at once, and nothing of EXIF but the orientation."""

import re
import struct
import sys
import tracemalloc
import zlib

import pytest
from PIL import Image, ImageCms
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from safety_core.errors import ImageError
from safety_core.inputs.images import picture_file as image_files
from safety_core.inputs.images.decoding import ImageLimits, decode
from safety_core.inputs.images.picture_file import orientation, png_key, read_picture_file
from tests.helpers.images.checks import decode_only_view, get_error_code, measure_difference
from tests.helpers.images.colour_profiles import swap_primaries
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import draw_scene
from tests.helpers.images.png_files import build_png, build_png_chunk

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
    upright, turned = (decode_only_view(with_exif(kind, tiff((TAG, SHORT, 1, turn)))) for turn in (1, 3))
    assert measure_difference(upright.transpose(Image.Transpose.ROTATE_180), turned) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_metadata_that_refer_to_each_other_fill_no_memory(kind: str) -> None:
    behind = bytes(300_000)
    tags = [(1000 + number, 7, len(behind), 8 + 6 + 12 * 1000) for number in range(1000)]
    data = with_exif(kind, tiff(*tags, behind=behind))
    tracemalloc.start()
    try:
        assert decode_only_view(data).size == (48, 48)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data)
    finally:
        tracemalloc.stop()


def test_too_many_chunks_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data, empty = encode_image(draw_scene()), build_png_chunk(b"teSt", b"")
    assert decode_only_view(data[:33] + empty * 4000 + data[33:]).size == (48, 48)
    monkeypatch.setattr(PngImageFile, "_open", lambda file: pytest.fail("it was read"))
    for at in (33, len(data) - 12):
        assert get_error_code(data[:at] + empty * 5000 + data[at:]) == "image_corrupt"


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS", b"iCCP", b"eXIf"])
def test_a_picture_that_is_described_twice_is_refused(kind: bytes) -> None:
    palette, profile = bytes([255, 0, 0, 0, 255, 0]), b"a\0\0" + zlib.compress(b"no profile")
    once = {b"PLTE": palette, b"tRNS": b"\xff", b"iCCP": profile, b"eXIf": tiff((TAG, SHORT, 1, 1))}
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
        read_picture_file(data[:12], max_segments=9, max_scans=9)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_grey_key_means_the_same_in_every_depth(depth: int) -> None:
    brightest, width = 2**depth - 1, 16
    levels = [0, brightest] * (width // 2)
    bits = "".join(f"{level:0{depth}b}" for level in levels)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    key = build_png_chunk(b"tRNS", struct.pack(">H", brightest))
    data = build_png(width, width, depth=depth, colour=0, rows=row * width, extra=key)
    on_black, on_white = decode(data, limits=ImageLimits(min_side=1)).views
    assert [on_black.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0)] * 2
    assert [on_white.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_colour_key_means_the_same_in_every_depth(depth: int) -> None:
    clear, solid = (0x12, 0x34, 0x56), (0x34, 0x56, 0x78)
    lower = [] if depth == 8 else [0x9A]
    row = b"\0" + bytes(byte for value in (*clear, *solid) for byte in (value, *lower))
    key = struct.pack(">HHH", *(value if depth == 8 else value << 8 | 0x9A for value in clear))
    data = build_png(2, 2, depth=depth, colour=2, rows=row * 2, extra=build_png_chunk(b"tRNS", key))
    on_black, on_white = decode(data, limits=ImageLimits(min_side=1)).views
    assert [on_black.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), solid]
    assert [on_white.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), solid]


def test_an_index_of_a_palette_is_no_grey() -> None:
    data = build_png(2, 2, depth=2, colour=3, rows=b"\0\x10" * 2, extra=build_png_chunk(b"PLTE", bytes(12)))
    assert png_key(data, "P", 1) == 1


# --- what decides no pixels is dropped -------------------------------------------------------------------------------


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
    exif = tiff((TAG, SHORT, 1, 3))
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
    assert len(decode(data).views) == 2
    at = data.index(kind) - 4
    end = at + 12 + int.from_bytes(data[at : at + 4], "big")
    wrong = data[: end - 1] + bytes((data[end - 1] ^ 1,)) + data[end:]
    if kind == b"IEND":  # nothing stands in it
        assert len(decode(wrong).views) == 2
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


def test_a_large_profile_is_applied_and_an_enormous_one_ignored() -> None:
    profile = swap_primaries(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red = Image.new("RGB", (40, 40), (250, 10, 10))
    for kind, sizes in (("PNG", (1_500_000, 9_000_000)), ("JPEG", (1_500_000, 9_000_000))):
        views = []
        for size in sizes:
            padded = bytearray(profile.ljust(size, b"\0"))
            padded[:4] = struct.pack(">I", size)
            views.append(decode_only_view(encode_image(red, kind, icc_profile=bytes(padded))).getpixel((20, 20)))
        (swapped, plain) = views
        assert swapped[1] > swapped[0]  # type: ignore[index]
        assert plain[0] > 240  # type: ignore[index]


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
    parts = webp_parts(encode_image(draw_scene(), "WEBP", lossless=True, exif=tiff((TAG, SHORT, 1, 1)), xmp=b"<x/>"))
    junk = [struct.pack("<4sI", kind, 10) + b"\xff" * 10 for kind in (b"XMP ", b"EXIF", b"ICCP", b"junk")]
    assert measure_difference(decode_only_view(riff(parts + junk)), draw_scene()) == 0
    assert measure_difference(decode_only_view(riff(parts) + b"trailing"), draw_scene()) == 0
    assert get_error_code(riff([*parts, parts[1]])) == "image_corrupt"
    assert get_error_code(riff(parts + [struct.pack("<4sI", b"junk", 0)] * 5000)) == "image_corrupt"
    assert get_error_code(riff(parts)[:-6]) == "image_corrupt"


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_what_reaches_a_decoder_is_a_file_of_the_same_picture_without_metadata(kind: str) -> None:
    secret = b"SECRET words"
    options: dict[str, dict[str, object]]
    options = {"JPEG": {"comment": secret}, "GIF": {"comment": secret}, "WEBP": {"xmp": secret, "lossless": True}}
    data = encode_image(draw_scene(), kind, exif=tiff((TAG, SHORT, 1, 1), behind=secret), **options.get(kind, {}))
    file = read_picture_file(data, max_segments=4096, max_scans=64)
    assert (file.kind, file.width, file.height) == (kind, 48, 48)
    assert secret in data
    assert secret not in file.data
    again = read_picture_file(file.data, max_segments=4096, max_scans=64)
    assert again.data == file.data


def with_tag(profile: bytes, name: bytes, body: bytes) -> bytes:
    """A colour profile with one more tag."""
    (count,) = struct.unpack_from(">I", profile, 128)
    end = 132 + 12 * count
    entries = [struct.unpack_from(">4sII", profile, at) for at in range(132, end, 12)]
    entries = [(tag, place + 12, size) for tag, place, size in entries]
    entries.append((name, len(profile) + 12, len(body)))
    table = b"".join(struct.pack(">4sII", *entry) for entry in entries)
    made = bytearray(profile[:128] + struct.pack(">I", count + 1) + table + profile[end:] + body)
    made[:4] = struct.pack(">I", len(made))
    return bytes(made)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_steps_of_a_profile_that_no_browser_takes_are_not_taken(kind: str) -> None:
    """A hundred thousand of them fit into a few hundred bytes."""
    step = b"matf" + struct.pack(">IHH12f", 0, 3, 3, *[0.5] * 12)
    steps = b"mpet" + struct.pack(">IHHI", 0, 3, 3, 1000) + struct.pack(">II", 16 + 8 * 1000, len(step)) * 1000 + step
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    plain = decode_only_view(encode_image(draw_scene(), kind, icc_profile=srgb, **options))
    assert (
        measure_difference(
            decode_only_view(encode_image(draw_scene(), kind, icc_profile=with_tag(srgb, b"D2B0", steps), **options)),
            plain,
        )
        == 0
    )
    file = read_picture_file(
        encode_image(draw_scene(), kind, icc_profile=with_tag(srgb, b"A2B0", steps), **options),
        max_segments=99,
        max_scans=9,
    )
    assert file.profile is not None
    (count,) = struct.unpack_from(">I", file.profile, 128)
    kept = file.profile[132 : 132 + 12 * count]
    assert b"rXYZ" in kept
    assert b"A2B0" not in kept
    assert b"D2B0" not in kept


JPEG = encode_image(draw_scene(), "JPEG")


@pytest.mark.parametrize("shift", range(-70, 71, 5))
def test_markers_are_found_wherever_slices_of_a_search_end(shift: int) -> None:
    start = JPEG.index(b"\xff\xda")
    end = start + 2 + int.from_bytes(JPEG[start + 2 : start + 4], "big")
    scan = JPEG[:end] + b"a" * (image_files._MARKER_SLICE + shift)
    kept = read_picture_file(scan + b"\xff\xd9" + b"rest", max_segments=100, max_scans=4).data
    assert kept.endswith(b"a\xff\xd9")
    with pytest.raises(ImageError, match="fill bytes"):
        read_picture_file(scan + b"\xff" * 70 + b"\xd9", max_segments=100, max_scans=4)
    with pytest.raises(ImageError, match="more than 1 scans"):
        read_picture_file(scan + JPEG[start:end] + b"\xff\xd9", max_segments=100, max_scans=1)


def test_a_long_scan_is_searched_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # A search holds the interpreter lock from its beginning to its end.
    pattern, spans = image_files._NEXT_MARKER, list[int]()

    class Recorded:
        def search(self, data: bytes, at: int, end: int = sys.maxsize) -> re.Match[bytes] | None:
            spans.append(min(end, len(data)) - at)
            return pattern.search(data, at, end)

    monkeypatch.setattr(image_files, "_NEXT_MARKER", Recorded())
    read_picture_file(JPEG[:-2] + b"\xff\x00" * 500_000 + b"\xff\xd9", max_segments=100, max_scans=4)
    assert max(spans) <= 64 * 1024
