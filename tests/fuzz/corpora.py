"""Valid files from which fuzzing starts: the four formats in all variants that the installed encoders can write.

The files are generated: the same encoders give the same files on every machine. Knows nothing of damage.
"""

import struct
import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import product
from random import Random

from PIL import ExifTags, Image, ImageCms, ImageDraw

from tests.fuzz import pngs

Corpus = dict[str, bytes]
"""Files by the name of their variant."""

_SIZES = ((24, 16), (17, 31), (1, 1), (3, 40), (40, 3), (33, 33))


@cache
def corpora() -> dict[str, Corpus]:
    """Generate the files of each format."""
    return {"jpeg": dict(_jpegs()), "png": dict(_pngs()), "webp": dict(_webps()), "gif": dict(_gifs())}


def scene(random: Random, size: tuple[int, int]) -> Image.Image:
    """Draw rectangles on noise: smooth and rough areas exercise most features of an encoder."""
    image = Image.frombytes("RGB", size, random.randbytes(3 * size[0] * size[1]))
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        left, top = random.randrange(size[0]), random.randrange(size[1])
        box = (left, top, left + random.randrange(size[0]), top + random.randrange(size[1]))
        draw.rectangle(box, fill=(random.randrange(256), random.randrange(256), random.randrange(256)))
    return image


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _exif(orientation: int, *, big_endian: bool = False) -> bytes:
    """Build metadata with values of most types and with two sub-directories."""
    exif = Image.Exif()
    exif.endian = ">" if big_endian else "<"
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "camera"
    exif[ExifTags.Base.XResolution] = 72.0
    exif[ExifTags.Base.ResolutionUnit] = 2
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.01
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (1.0, 2.0, 3.0)
    return exif.tobytes()


def _xmp(orientation: int) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()


def _jpegs() -> Iterator[tuple[str, bytes]]:
    random = Random("jpeg")
    variants: dict[str, dict[str, object]] = {
        "baseline": {},
        "progressive": {"progressive": True},
        "optimized": {"optimize": True},
        "worst": {"quality": 1},
        "best": {"quality": 100, "subsampling": 0},
        "4:2:2": {"subsampling": "4:2:2"},
        "4:1:1": {"subsampling": "4:1:1"},
        "restarts": {"restart_marker_blocks": 1},
        "restarts-progressive": {"restart_marker_rows": 1, "progressive": True},
        "comment": {"comment": b"a comment"},
        "profile": {"icc_profile": _profile()},
        "profile-split": {"icc_profile": _profile() + bytes(70_000)},
        "xmp": {"xmp": _xmp(6)},
        "resolution": {"dpi": (300, 300)},
        "camera": {"exif": _exif(6), "icc_profile": _profile(), "comment": b"x", "progressive": True},
    }
    for (name, options), size in product(variants.items(), _SIZES[:2]):
        yield f"{name}-{size[0]}", _saved(scene(random, size), "JPEG", **options)
        yield f"{name}-grey-{size[0]}", _saved(scene(random, size).convert("L"), "JPEG", **options)
    for name in ("baseline", "progressive", "best", "restarts", "profile"):
        yield f"{name}-cmyk", _saved(scene(random, _SIZES[0]).convert("CMYK"), "JPEG", **variants[name])
    yield "rgb", _saved(scene(random, _SIZES[0]), "JPEG", keep_rgb=True)
    for size in _SIZES[2:]:
        yield f"size-{size[0]}x{size[1]}", _saved(scene(random, size), "JPEG")
    for orientation, big_endian in product(range(1, 9), (False, True)):
        exif = _exif(orientation, big_endian=big_endian)
        yield f"turned-{orientation}-{big_endian}", _saved(scene(random, _SIZES[0]), "JPEG", exif=exif)
    photo = _saved(scene(random, _SIZES[0]), "JPEG")
    yield "followed", photo + random.randbytes(500)
    buffer = BytesIO()
    scene(random, _SIZES[0]).save(buffer, "MPO", save_all=True, append_images=[scene(random, _SIZES[0])])
    yield "several", buffer.getvalue()


def _pngs() -> Iterator[tuple[str, bytes]]:
    random = Random("png")
    for colour, depths in pngs.DEPTHS.items():
        for depth, interlaced in product(depths, (False, True)):
            for size in _SIZES[:2]:
                shape = _shape(size, colour, depth, interlaced)
                yield f"{colour}-{depth}-{interlaced}-{size[0]}", pngs.drawn_png(shape, random)
            clear = _clear(random, colour, depth)
            if clear:
                yield f"{colour}-{depth}-{interlaced}-clear", pngs.drawn_png(shape, random, extras=[(b"tRNS", clear)])
    for size, interlaced in product(_SIZES[2:], (False, True)):
        shape = _shape(size, pngs.COLOUR, 8, interlaced)
        yield f"size-{size[0]}x{size[1]}-{interlaced}", pngs.drawn_png(shape, random)
    for (name, body), colour in product(_ancillary(), (pngs.GREY, pngs.COLOUR, pngs.PALETTE, pngs.COLOUR_ALPHA)):
        shape = _shape(_SIZES[0], colour, 8, False)
        kind = name[:4].encode()
        yield f"{name}-{colour}", pngs.drawn_png(shape, random, extras=[(kind, body)], pieces=3)
    shape = _shape(_SIZES[0], pngs.PALETTE, 4, True)
    every = [(name.encode(), body) for name, body in _ancillary() if len(name) == 4]
    yield "everything", pngs.drawn_png(shape, random, extras=every, pieces=5)
    frame = struct.pack(">IIIIIHHBB", 0, *_SIZES[0], 0, 0, 1, 10, 0, 0)
    film = [(b"acTL", struct.pack(">II", 1, 0)), (b"fcTL", frame)]
    yield "one-frame", pngs.drawn_png(shape, random, extras=film)


def _shape(size: tuple[int, int], colour: int, depth: int, interlaced: bool) -> pngs.Shape:
    return pngs.Shape(width=size[0], height=size[1], colour=colour, depth=depth, interlaced=interlaced)


def _clear(random: Random, colour: int, depth: int) -> bytes:
    """Build the body of a ``tRNS`` chunk; empty for colour types without one."""
    if colour == pngs.PALETTE:
        return random.randbytes(2**depth)
    return random.randrange(2**depth).to_bytes(2, "big") * {pngs.GREY: 1, pngs.COLOUR: 3}.get(colour, 0)


def _ancillary() -> Iterator[tuple[str, bytes]]:
    """Yield name and body of the chunks without pixels; a name starts with the chunk's type."""
    packed = zlib.compress(b"words " * 20)
    yield "gAMA", struct.pack(">I", 45455)
    yield "cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    yield "sRGB", b"\0"
    yield "iCCP", b"a profile\0\0" + zlib.compress(_profile())
    yield "iCCP-grey", b"a profile\0\0" + zlib.compress(_profile().replace(b"RGB XYZ ", b"GRAYXYZ "))
    yield "tEXt", b"Title\0words"
    yield "zTXt", b"Title\0\0" + packed
    yield "iTXt", b"Title\0\0\0en\0Titel\0" + "Wörter".encode()
    yield "iTXt-zip", b"Title\0\1\0en\0Titel\0" + packed
    yield "iTXt-xmp", b"XML:com.adobe.xmp\0\0\0\0\0" + _xmp(3)
    yield "pHYs", struct.pack(">IIB", 2835, 2835, 1)
    yield "tIME", struct.pack(">HBBBBB", 2020, 1, 2, 3, 4, 5)
    yield "eXIf", _exif(5).removeprefix(b"Exif\0\0")
    yield "bKGD", b"\0\1"


def _webps() -> Iterator[tuple[str, bytes]]:
    random = Random("webp")
    variants: dict[str, dict[str, object]] = {
        "lossy": {},
        "worst": {"quality": 1, "method": 0},
        "best": {"quality": 100, "method": 6},
        "lossless": {"lossless": True},
        "lossless-fast": {"lossless": True, "quality": 0, "method": 0},
        "exif": {"exif": _exif(8)},
        "profile": {"icc_profile": _profile()},
        "xmp": {"xmp": _xmp(7)},
        "everything": {"exif": _exif(3), "icc_profile": _profile(), "xmp": _xmp(2), "lossless": True},
    }
    for (name, options), size in product(variants.items(), _SIZES):
        image = scene(random, size)
        yield f"{name}-{size[0]}x{size[1]}", _saved(image, "WEBP", **options)
        image.putalpha(Image.frombytes("L", size, random.randbytes(size[0] * size[1])))
        yield f"{name}-clear-{size[0]}x{size[1]}", _saved(image, "WEBP", **options)
    few = scene(random, _SIZES[0]).quantize(5)
    yield "palette", _saved(few.convert("RGB"), "WEBP", lossless=True)
    few.putalpha(200)
    yield "half-clear", _saved(few, "WEBP", alpha_quality=10)


def _gifs() -> Iterator[tuple[str, bytes]]:
    random = Random("gif")
    for colours, size, interlaced in product((2, 4, 16, 256), _SIZES, (0, 1)):
        image = scene(random, size).quantize(colours)
        name = f"{colours}-{size[0]}x{size[1]}-{interlaced}"
        yield name, _saved(image, "GIF", interlace=interlaced)
        yield f"{name}-clear", _saved(image, "GIF", interlace=interlaced, transparency=random.randrange(colours))
    for name, options in {
        "comment": {"comment": b"a comment"},
        "loop": {"loop": 0, "duration": 100},
        "disposal": {"disposal": 2},
        "disposal-clear": {"disposal": 2, "transparency": 1},
        "disposal-before": {"disposal": 3, "transparency": 1},
        "background": {"background": 1},
    }.items():
        yield name, _saved(scene(random, _SIZES[0]).quantize(8), "GIF", **options)  # type: ignore[arg-type]
    yield "grey", _saved(scene(random, _SIZES[0]).convert("L"), "GIF")
    yield "own-palette", _with_own_palette(_saved(scene(random, _SIZES[0]).quantize(16), "GIF"))


def _with_own_palette(gif: bytes) -> bytes:
    """Move the palette from the screen descriptor to the image descriptor."""
    colours = 3 * 2 ** ((gif[10] & 7) + 1)
    palette, rest = gif[13 : 13 + colours], gif[13 + colours :]
    at = rest.index(b"\x2c") + 9
    return (
        gif[:10] + bytes([gif[10] & 0x7F]) + gif[11:13] + rest[:at] + bytes([rest[at] | gif[10] & 0x87])
        + palette + rest[at + 1 :]
    )  # fmt: skip
