"""Colour profiles: large, enormous, and with steps that no browser takes."""

import struct

import pytest
from PIL import Image, ImageCms

from safety_core.inputs.images.inspection import parse_image
from tests.helpers.images.checks import decode_only_view, measure_difference
from tests.helpers.images.colour_profiles import swap_primaries
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import draw_scene


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
    file = parse_image(
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
