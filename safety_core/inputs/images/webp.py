"""Parses WebP files: counts chunks and keeps those that contain pixels."""

import struct

from safety_core.inputs.images.colour_profile import reduce_profile
from safety_core.inputs.images.exif import read_orientation
from safety_core.inputs.images.parsed_image import ParsedImage, create_corrupt_error, create_damage_error

_EXTENDED, _LOSSY, _LOSSLESS = b"VP8X", b"VP8 ", b"VP8L"
_HAS_PROFILE, _HAS_ALPHA, _HAS_EXIF, _HAS_FRAMES = 0x20, 0x10, 0x08, 0x02
_DROPPED = _HAS_PROFILE | _HAS_EXIF | 0x04
"""Flags of the chunks that are dropped: profile, EXIF and XMP."""

_PIXEL_CHUNKS = frozenset({_EXTENDED, _LOSSY, _LOSSLESS, b"ALPH", b"ANIM", b"ANMF"})


def parse_webp(data: bytes, *, max_chunks: int) -> ParsedImage:
    """Check the chunks of a WebP file and drop those that do not affect pixels.

    Raises:
        ImageError: ``image_corrupt``: damage, a duplicate of a chunk that must be unique, or too many chunks.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise create_damage_error()
    first_chunks: dict[bytes, bytes] = {}
    kept_chunks: list[bytes] = []
    at, chunks, frames, extended = 12, 0, 0, data[12:16] == _EXTENDED
    while at + 8 <= end:
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        chunks += 1
        if chunks > max_chunks:
            raise create_corrupt_error(f"The image has more than {max_chunks} chunks.")
        if at + 8 + size > end:
            raise create_damage_error()
        body = data[at + 8 : at + 8 + size]
        if kind in _PIXEL_CHUNKS:
            frames += kind == b"ANMF"
            if kind in first_chunks and kind != b"ANMF":
                raise create_corrupt_error("The image contains a part twice that may appear only once.")
            first_chunks[kind] = body if len(body) < 64 else body[:64]
            kept_chunks.append(
                body if kind != _EXTENDED else bytes((body[0] & ~_DROPPED,)) + body[1:] if body else body
            )
            kept_chunks[-1] = b"".join((kind, struct.pack("<I", size), kept_chunks[-1], b"\0" * (size & 1)))
        elif kind in (b"ICCP", b"EXIF"):
            first_chunks.setdefault(kind, body)
        if not extended and kept_chunks:
            break  # nothing follows the pixels of the simple form
        at += 8 + size + (size & 1)
    width, height, alpha = _read_size(first_chunks, extended)
    flags = first_chunks[_EXTENDED][0] if extended else 0
    clean = b"".join(kept_chunks)
    return ParsedImage(
        kind="WEBP",
        data=b"".join((b"RIFF", struct.pack("<I", 4 + len(clean)), b"WEBP", clean)),
        width=width,
        height=height,
        animated=frames > 1,
        channels=4 if alpha else 3,
        orientation=read_orientation(first_chunks.get(b"EXIF") if flags & _HAS_EXIF else None),
        profile=reduce_profile(first_chunks.get(b"ICCP", b"")) if flags & _HAS_PROFILE else None,
    )


def _read_size(chunks: dict[bytes, bytes], extended: bool) -> tuple[int, int, bool]:
    """Read width, height, and whether the image has transparency."""
    try:
        if extended:
            head = chunks[_EXTENDED]
            width, height = (1 + int.from_bytes(head[place : place + 3], "little") for place in (4, 7))
            if len(head) < 10:
                raise create_damage_error()
            return width, height, bool(head[0] & (_HAS_ALPHA | _HAS_FRAMES)) or b"ALPH" in chunks
        if _LOSSY in chunks:
            if chunks[_LOSSY][3:6] != b"\x9d\x01\x2a":
                raise create_damage_error()
            width, height = struct.unpack_from("<HH", chunks[_LOSSY], 6)
            return width & 0x3FFF, height & 0x3FFF, False
        mark, bits = struct.unpack_from("<BI", chunks[_LOSSLESS])
    except (KeyError, struct.error):
        raise create_damage_error() from None
    if mark != 0x2F:
        raise create_damage_error()
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
