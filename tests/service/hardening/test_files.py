"""Files that are too much, broken, of another format, or that two decoders could see differently."""

import struct
from collections.abc import Callable

import pytest
import torch
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from starlette.testclient import TestClient

from safety_core.engine.guard import Guard
from safety_core.inputs.images.decoding import decode_image
from tests.helpers.engine.model_calls import assert_read_what_was_scored, record_model_inputs
from tests.helpers.images.encoding import decode_rgb, encode_image
from tests.helpers.images.png_files import build_png, build_png_chunk
from tests.helpers.requests.judging_requests import (
    ANSWERING,
    LOOK,
    MAKE,
    ROUTES,
    SCENE,
    WEAPON,
    is_refused,
    read_error,
    send_question,
    translate_error,
)


def claiming_more(kind: str) -> bytes:
    """A small file whose header declares hundreds of megapixels."""
    if kind == "PNG":
        return build_png(60_000, 60_000, depth=8, colour=2, rows=bytes(100))
    data = bytearray(encode_image(Image.new("RGB", (48, 48), "red"), kind))
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    elif kind == "WEBP":
        at = data.index(b"\x9d\x01\x2a") + 3
        data[at : at + 4] = struct.pack("<HH", 16_383, 16_383)
    else:
        data[6:10] = struct.pack("<HH", 60_000, 60_000)
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_decompression_bomb(client: TestClient, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "load", lambda file: pytest.fail("it was decoded"))
    for route in ROUTES:
        assert read_error(send_question(client, route, LOOK, claiming_more(kind))) == translate_error(
            route, 413, "image_too_large"
        )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_truncated_corrupt(client: TestClient, kind: str) -> None:
    whole = encode_image(Image.effect_noise((64, 64), 90).convert("RGB"), kind)
    damaged = [whole[:20], whole[: len(whole) // 2], whole[:20] + bytes(200), whole[:20] + b"\xff" * 200]
    for route in ROUTES:
        for data in damaged:
            assert read_error(send_question(client, route, LOOK, data)) == translate_error(route, 400, "image_corrupt")
        assert not is_refused(send_question(client, route, LOOK, whole))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_formats_that_are_accepted(client: TestClient, kind: str) -> None:
    data = encode_image(decode_rgb(SCENE), kind)
    for route in ROUTES:
        assert not is_refused(send_question(client, route, LOOK, data))


OTHER_FORMATS = [
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"<?xml version='1.0'?><svg/>",
    b"%!PS-Adobe-3.0 EPSF-3.0",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"8BPS\0\x01",
    b"\0\0\0\x18ftypheic",
    b"\0\0\0\x18ftypavif",
    b"\0\0\x01\0\x01\0",
    b"BM" + bytes(60),
    b"%PDF-1.7",
    b" " + SCENE,
    b"RIFF\0\0\0\0WAVE",
]


@pytest.mark.parametrize("data", OTHER_FORMATS)
def test_formats_that_are_not(client: TestClient, data: bytes) -> None:
    for route in ROUTES:
        assert read_error(send_question(client, route, LOOK, data)) == translate_error(route, 415, "image_format")
    for route in ROUTES[:2]:
        named = client.post(route, files={"image": ("a.png", data, "image/png")}, data={"prompt": LOOK})
        assert read_error(named) == (415, "image_format")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_several_frames(client: TestClient, kind: str) -> None:
    first, second = decode_rgb(SCENE), decode_rgb(WEAPON)
    data = encode_image(first, kind, save_all=True, append_images=[second])
    for route in ROUTES:
        assert read_error(send_question(client, route, MAKE, data)) == translate_error(route, 400, "image_animated")


# --- one file, several pictures --------------------------------------------------------------------------------------

ZIP = b"PK\x03\x04" + bytes(26) + b"a"
HTML = b"<!doctype html><script>alert(1)</script>"


def as_jpeg(data: bytes) -> bytes:
    return encode_image(decode_rgb(data), "JPEG", quality=98, subsampling=0)


def as_gif(data: bytes) -> bytes:
    return encode_image(decode_rgb(data), "GIF")


def chunks(data: bytes) -> bytes:
    """A PNG's chunks between header and end."""
    return data[33:-12]


def two_jpegs() -> bytes:
    """What phones write: a picture, and a second one that some programs show instead."""
    return encode_image(
        decode_rgb(SCENE), "MPO", save_all=True, append_images=[decode_rgb(WEAPON)], quality=98, subsampling=0
    )


def with_thumbnail() -> bytes:
    """A JPEG whose preview shows something else."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.IFD1)[ExifTags.Base.ImageDescription] = "preview"
    return encode_image(decode_rgb(SCENE), "JPEG", quality=98, subsampling=0, exif=exif.tobytes() + as_jpeg(WEAPON))


def with_first_frame() -> bytes:
    """A PNG that says it is an animation of one frame, its own pixels."""
    control = build_png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 140, 140, 0, 0, 1, 10, 0, 0))
    return SCENE[:33] + build_png_chunk(b"acTL", struct.pack(">II", 1, 0)) + control + SCENE[33:]


def with_other_frame() -> bytes:
    """A PNG whose one frame is not its default picture: who knows no animations sees the one, who does the other."""
    control = build_png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 140, 140, 0, 0, 1, 10, 0, 0))
    pixels = chunks(WEAPON)
    frame = build_png_chunk(b"fdAT", struct.pack(">I", 1) + pixels[8:-4])
    return (
        SCENE[:33] + build_png_chunk(b"acTL", struct.pack(">II", 1, 0)) + chunks(SCENE) + control + frame + SCENE[-12:]
    )


def smaller_than_its_screen() -> bytes:
    """A GIF whose frame fills the middle of its screen."""
    data = bytearray(as_gif(SCENE))
    data[6:10] = struct.pack("<HH", 280, 280)
    at = data.index(b"\x2c\0\0\0\0")
    data[at + 1 : at + 5] = struct.pack("<HH", 70, 70)
    return bytes(data)


def framed_twice() -> bytes:
    """A JPEG that says twice how large it is."""
    data = as_jpeg(SCENE)
    at = data.index(b"\xff\xc0")
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[:at] + data[at:end].replace(struct.pack(">HH", 140, 140), struct.pack(">HH", 70, 280)) + data[at:]


AMBIGUOUS: dict[str, tuple[Callable[[], bytes], Callable[[], bytes] | str]] = {
    "JPEG behind a JPEG": (lambda: as_jpeg(SCENE) + as_jpeg(WEAPON), lambda: as_jpeg(SCENE)),
    "several pictures of a phone": (two_jpegs, lambda: as_jpeg(SCENE)),
    "preview of another picture": (with_thumbnail, lambda: as_jpeg(SCENE)),
    "PNG behind a PNG": (lambda: SCENE + WEAPON, lambda: SCENE),
    "archive behind a PNG": (lambda: SCENE + ZIP, lambda: SCENE),
    "page behind a GIF": (lambda: as_gif(SCENE) + HTML, lambda: as_gif(SCENE)),
    "frame behind a GIF's end": (lambda: as_gif(SCENE) + as_gif(WEAPON)[13:], lambda: as_gif(SCENE)),
    "WebP behind a WebP": (
        lambda: encode_image(decode_rgb(SCENE), "WEBP", lossless=True) + encode_image(decode_rgb(WEAPON), "WEBP"),
        lambda: encode_image(decode_rgb(SCENE), "WEBP", lossless=True),
    ),
    "second run of pixels": (
        lambda: SCENE[:-12] + build_png_chunk(b"tEXt", b"a\0b") + chunks(WEAPON) + SCENE[-12:],
        lambda: SCENE,
    ),
    "gamma": (lambda: SCENE[:33] + build_png_chunk(b"gAMA", struct.pack(">I", 1_000)) + SCENE[33:], lambda: SCENE),
    "animation of its own pixels": (with_first_frame, lambda: SCENE),
    "frame smaller than its screen": (smaller_than_its_screen, smaller_than_its_screen),
    "animation beside the picture": (with_other_frame, "image_animated"),
    "frame behind rubbish": (
        lambda: as_gif(SCENE)[:-1] + b"\0\0" + as_gif(WEAPON)[as_gif(WEAPON).index(b"\x2c\0\0\0\0") :],
        "image_animated",
    ),
    "two palettes": (
        lambda: build_png(
            2, 2, depth=8, colour=3, rows=b"\0\0\1" * 2,
            extra=build_png_chunk(b"PLTE", b"\xff" * 6) + build_png_chunk(b"PLTE", bytes(6)),
        ),
        "image_corrupt",
    ),
    "two headers": (lambda: SCENE[:33] + WEAPON[8:33] + SCENE[33:], "image_corrupt"),
    "two frame headers": (framed_twice, "image_corrupt"),
    "PNG that begins like a JPEG": (lambda: b"\xff\xd8\xff" + SCENE, "image_corrupt"),
}  # fmt: skip
"""Name → the file, and the file whose picture the guard must see, or the code of its refusal."""


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_formats_that_two_decoders_could_see_differently(nano: TestClient, guard: Guard, name: str) -> None:
    write, meant = AMBIGUOUS[name]
    data = write()
    if isinstance(meant, str):
        for route in ROUTES:
            assert read_error(send_question(nano, route, LOOK, data)) == translate_error(route, 400, meant)
        return
    expected = guard.model.preprocess(list(decode_image(meant()).views))
    for route in ANSWERING:
        with record_model_inputs(guard) as seen:
            assert not is_refused(send_question(nano, route, LOOK, data))
        assert torch.equal(seen.pixels, expected)
        assert_read_what_was_scored(seen)


def test_formats_are_told_by_the_bytes_and_not_by_their_names(nano: TestClient) -> None:
    for name, kind in (("a.jpg", "image/jpeg"), ("a.svg", "image/svg+xml"), ("a.png", "text/html")):
        for path in ROUTES[:2]:
            answer = nano.post(path, files={"image": (name, WEAPON, kind)}, data={"prompt": MAKE})
            assert is_refused(answer)
