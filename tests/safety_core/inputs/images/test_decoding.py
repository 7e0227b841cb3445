"""Hostile, odd and ordinary pictures through the one door."""

import hashlib
import random
import struct
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngInfo

from safety_core.errors import DeadlineError, ImageError
from safety_core.inputs.images.decoding import (
    CLIP_MEAN,
    DecodedImage,
    ImageLimits,
    decode,
    decode_inspected,
    inspect,
    pad_to_square,
)
from service.settings import Settings
from tests.helpers.images.checks import decode_only_view, get_error_code, measure_difference
from tests.helpers.images.colour_profiles import swap_primaries
from tests.helpers.images.encoding import encode_image, encode_rotated
from tests.helpers.images.pictures import draw_scene
from tests.helpers.images.png_files import build_png, build_png_chunk

# --- ordinary pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
def test_each_accepted_format_gives_the_picture(kind: str) -> None:
    options: dict[str, object] = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})  # type: ignore[assignment]
    assert measure_difference(decode_only_view(encode_image(draw_scene(), kind, **options)), draw_scene()) <= 8


def test_decoded_image_carries_digest_and_original_size() -> None:
    data = encode_image(draw_scene(60, 40))
    decoded = decode(data)
    assert (decoded.width, decoded.height) == (60, 40)
    assert decoded.sha256 == hashlib.sha256(data).hexdigest()
    assert [view.size for view in decoded.views] == [(60, 60)]
    assert decoded.views[0].mode == "RGB"


def test_padding_keeps_the_whole_picture_and_uses_the_mean_colour() -> None:
    square = decode_only_view(encode_image(draw_scene(60, 40)))
    assert measure_difference(square.crop((0, 10, 60, 50)), draw_scene(60, 40)) == 0
    assert square.getpixel((30, 5)) == CLIP_MEAN
    assert square.getpixel((30, 55)) == CLIP_MEAN


def test_padding_takes_another_colour_and_leaves_squares_alone() -> None:
    assert pad_to_square(draw_scene(20, 8), (1, 2, 3)).getpixel((0, 0)) == (1, 2, 3)
    image = draw_scene(8, 8)
    assert pad_to_square(image) is image
    assert decode(encode_image(draw_scene(20, 8)), fill=(1, 2, 3)).views[0].getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_show_the_same_picture(orientation: int) -> None:
    decoded = decode(encode_rotated(draw_scene(40, 28), orientation))
    assert (decoded.width, decoded.height) == (40, 28)
    assert measure_difference(decoded.views[0], pad_to_square(draw_scene(40, 28))) == 0


def test_unknown_orientation_is_read_as_stored() -> None:
    assert measure_difference(decode_only_view(encode_rotated(draw_scene(), 77)), draw_scene()) == 0


def test_large_pictures_are_reduced_and_tiny_ones_enlarged() -> None:
    large = decode(encode_image(draw_scene(400, 100)), limits=ImageLimits(max_side=200))
    assert large.views[0].size == (200, 200)
    assert (large.width, large.height) == (400, 100)
    for size in ((1, 1), (1, 3), (3, 1), (3, 3), (2, 31)):
        assert decode_only_view(
            encode_image(draw_scene(*size) if min(size) > 4 else Image.new("RGB", size, (9, 9, 9)))
        ).size == (32, 32)


def test_reduction_is_antialiased() -> None:
    stripes = Image.new("RGB", (400, 400))
    for x in range(0, 400, 2):
        stripes.paste((255, 255, 255), (x, 0, x + 1, 400))
    reduced = decode_only_view(encode_image(stripes), max_side=100)
    low, high = reduced.crop((10, 10, 90, 90)).convert("L").getextrema()
    assert 110 <= low <= high <= 145  # type: ignore[operator]


# --- depth, colour, transparency -------------------------------------------------------------------------------------


def test_grey_pictures_of_every_depth_look_the_same() -> None:
    grey = draw_scene().convert("L")
    rows8 = b"".join(b"\0" + grey.crop((0, y, 48, y + 1)).tobytes() for y in range(48))
    rows16 = b"".join(
        b"\0" + bytes(v for p in grey.crop((0, y, 48, y + 1)).tobytes() for v in (p, p)) for y in range(48)
    )
    expected = grey.convert("RGB")
    for data in (
        build_png(48, 48, depth=8, colour=0, rows=rows8),
        build_png(48, 48, depth=16, colour=0, rows=rows16),
        encode_image(grey.convert("LA")),
        encode_image(grey.convert("RGBA")),
        encode_image(grey.convert("P")),
    ):
        assert measure_difference(decode_only_view(data), expected) == 0


def test_sixteen_bit_colour_key_is_transparent() -> None:
    rows = b"".join(b"\0" + struct.pack(">HH", 0x1234, 0x1235) for _ in range(2))
    data = build_png(2, 2, depth=16, colour=0, rows=rows, extra=build_png_chunk(b"tRNS", struct.pack(">H", 0x1234)))
    on_black, on_white = decode(data, limits=ImageLimits(min_side=1)).views
    assert [on_black.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (0x12, 0x12, 0x12)]
    assert [on_white.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0x12, 0x12, 0x12)]


def test_cmyk_is_converted() -> None:
    data = encode_image(draw_scene().convert("CMYK"), "JPEG", quality=98, subsampling=0)
    assert measure_difference(decode_only_view(data), draw_scene()) <= 12


def test_colour_profiles_are_applied_and_broken_ones_ignored() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert measure_difference(decode_only_view(encode_image(draw_scene(), icc_profile=srgb)), draw_scene()) <= 2
    assert (
        measure_difference(decode_only_view(encode_image(draw_scene(), icc_profile=b"not a profile")), draw_scene())
        == 0
    )
    mismatched = encode_image(draw_scene().convert("L"), icc_profile=srgb)
    assert measure_difference(decode_only_view(mismatched), draw_scene().convert("L").convert("RGB")) == 0


def test_a_profile_that_changes_the_colours_is_honoured() -> None:
    swapped = swap_primaries(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    view = decode_only_view(encode_image(Image.new("RGB", (40, 40), (250, 10, 10)), icc_profile=swapped))
    red, green, _ = view.getpixel((20, 20))  # type: ignore[misc]
    assert green > red


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_gives_both_pictures(mode: str) -> None:
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    ImageDraw.Draw(clear).rectangle((10, 10, 29, 29), fill=(0, 0, 0, 255))
    on_black, on_white = decode(encode_image(clear.convert(mode))).views
    assert on_black.getextrema() == ((0, 0),) * 3
    assert on_white.getpixel((20, 20)) == (0, 0, 0)
    assert on_white.getpixel((0, 0)) == (255, 255, 255)


def test_palette_transparency_gives_both_pictures() -> None:
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([250, 250, 250, 10, 10, 10])
    palette.paste(1, (10, 10, 30, 30))
    for kind in ("PNG", "GIF"):
        on_black, on_white = decode(encode_image(palette, kind, transparency=0)).views
        assert on_black.getpixel((0, 0)) == (0, 0, 0)
        assert on_white.getpixel((0, 0)) == (255, 255, 255)
        assert on_white.getpixel((20, 20)) == (10, 10, 10)


def test_an_opaque_alpha_channel_gives_one_picture() -> None:
    assert measure_difference(decode_only_view(encode_image(draw_scene().convert("RGBA"))), draw_scene()) == 0


def test_colours_under_full_transparency_do_not_bleed_when_reduced() -> None:
    clear = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 200, 400))
    _, on_white = decode(encode_image(clear), limits=ImageLimits(max_side=100)).views
    assert on_white.getpixel((80, 50)) == (255, 255, 255)


# --- refusals --------------------------------------------------------------------------------------------------------


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


def test_a_gif_frame_beyond_its_screen_is_counted() -> None:
    gif = bytearray(encode_image(draw_scene(), "GIF"))
    at = gif.index(b"\x2c\0\0\0\0")
    gif[at + 5 : at + 9] = struct.pack("<HH", 60_000, 60_000)
    assert get_error_code(bytes(gif)) == "image_too_large"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_several_frames_are_refused(kind: str) -> None:
    frames = [draw_scene(), draw_scene().transpose(Image.Transpose.ROTATE_180)]
    assert get_error_code(encode_image(frames[0], kind, save_all=True, append_images=frames[1:])) == "image_animated"


def test_extreme_shapes_are_refused() -> None:
    assert get_error_code(encode_image(Image.new("RGB", (210, 10)))) == "image_aspect"
    assert decode_only_view(encode_image(Image.new("RGB", (200, 10)))).size == (200, 200)


def test_a_long_picture_stays_within_memory_bounds() -> None:
    assert decode_only_view(encode_image(Image.new("L", (6000, 300)))).size == (1344, 1344)


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_truncated_files_are_refused(kind: str, share: float) -> None:
    data = encode_image(Image.effect_noise((64, 64), 90).convert("RGB"), kind)
    assert get_error_code(data[: int(len(data) * share)]) == "image_corrupt"


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


def test_texts_of_a_png_are_dropped_unread_whatever_they_unpack_to() -> None:
    info = PngInfo()
    info.add_text("note", "a" * 3_000_000, zip=True)
    info.add_itxt("XML:com.adobe.xmp", "a" * 3_000_000, zip=True)
    assert measure_difference(decode_only_view(encode_image(draw_scene(), pnginfo=info)), draw_scene()) == 0


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


def test_messages_do_not_quote_the_file() -> None:
    with pytest.raises(ImageError) as caught:
        decode(b"\x89PNG\r\n\x1a\n" + b"SECRET" * 20)
    assert "SECRET" not in str(caught.value)


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
        decoded = decode(bytes(data))
    except ImageError:
        return
    assert isinstance(decoded, DecodedImage)
    assert all(view.mode == "RGB" and view.width == view.height for view in decoded.views)


def test_the_module_stays_clear_of_torch() -> None:
    source = (Path(__file__).parents[4] / "safety_core" / "inputs" / "images" / "decoding.py").read_text()
    assert "torch" not in source
    assert "numpy" not in source


# --- what decoding costs ---------------------------------------------------------------------------------------------


def cost(data: bytes, **limits: float) -> int:
    return inspect(data, limits=ImageLimits(**limits)).cost  # type: ignore[arg-type]


@pytest.mark.parametrize("progressive", [False, True])
def test_eight_photos_of_a_phone_are_within_the_budget_of_a_request(progressive: bool) -> None:
    noise = Image.effect_noise((500, 375), 60).resize((4000, 3000)).convert("RGB")
    photo = encode_image(noise, "JPEG", quality=80, progressive=progressive)
    assert 8 * cost(photo, max_side=336) <= Settings().max_request_pixels


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "JPEG"])
def test_the_dearest_picture_of_each_format_is_within_the_budget_of_a_request(kind: str) -> None:
    size = (5000, 5000)
    picture = Image.new("P" if kind == "GIF" else "RGB" if kind == "JPEG" else "RGBA", size)
    dear = inspect(encode_image(picture, kind, **({"lossless": True, "method": 0} if kind == "WEBP" else {})))
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
    decoded = decode(encode_rotated(draw_scene(800, 560), orientation, kind), limits=ImageLimits(max_side=100))
    assert (decoded.width, decoded.height) == (800, 560)
    upright = decode(encode_image(draw_scene(800, 560), kind), limits=ImageLimits(max_side=100)).views[0]
    assert max(ImageStat.Stat(ImageChops.difference(decoded.views[0], upright)).mean) < 2


def test_a_job_is_asked_between_its_stages_whether_it_is_still_wanted() -> None:
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise DeadlineError("late")

    with pytest.raises(DeadlineError):
        decode_inspected(inspect(encode_image(draw_scene(400, 400))), check=check)
    assert len(calls) == 3


def test_want_of_memory_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", exhausted)
    with pytest.raises(MemoryError):
        decode(encode_image(draw_scene(2000, 2000)))
