"""Pixels of a view: padding, size, depth, colours and transparency."""

import struct

from PIL import Image, ImageCms

from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.inputs.images.views import CLIP_MEAN, pad_to_square
from tests.helpers.images.checks import decode_only_view, measure_difference
from tests.helpers.images.colour_profiles import swap_primaries
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import draw_scene
from tests.helpers.images.png_files import build_png, build_png_chunk


def test_padding_keeps_the_whole_picture_and_uses_the_mean_colour() -> None:
    square = decode_only_view(encode_image(draw_scene(60, 40)))
    assert measure_difference(square.crop((0, 10, 60, 50)), draw_scene(60, 40)) == 0
    assert square.getpixel((30, 5)) == CLIP_MEAN
    assert square.getpixel((30, 55)) == CLIP_MEAN


def test_padding_takes_another_colour_and_leaves_squares_alone() -> None:
    assert pad_to_square(draw_scene(20, 8), (1, 2, 3)).getpixel((0, 0)) == (1, 2, 3)
    image = draw_scene(8, 8)
    assert pad_to_square(image) is image
    assert decode_image(encode_image(draw_scene(20, 8)), fill=(1, 2, 3)).views[0].getpixel((0, 0)) == (1, 2, 3)


def test_reduction_is_antialiased() -> None:
    stripes = Image.new("RGB", (400, 400))
    for x in range(0, 400, 2):
        stripes.paste((255, 255, 255), (x, 0, x + 1, 400))
    reduced = decode_only_view(encode_image(stripes), max_side=100)
    low, high = reduced.crop((10, 10, 90, 90)).convert("L").getextrema()
    assert 110 <= low <= high <= 145  # type: ignore[operator]


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
    on_black, on_white = decode_image(data, limits=ImageLimits(min_side=1)).views
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


def test_colours_under_full_transparency_do_not_bleed_when_reduced() -> None:
    clear = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 200, 400))
    _, on_white = decode_image(encode_image(clear), limits=ImageLimits(max_side=100)).views
    assert on_white.getpixel((80, 50)) == (255, 255, 255)
