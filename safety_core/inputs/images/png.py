"""Parses PNG files: verifies checksums, counts chunks, and keeps the header, the palette and the pixels."""

import struct
import zlib
from collections.abc import Callable

from safety_core.inputs.images.colour_profile import MAX_PROFILE_BYTES, reduce_profile
from safety_core.inputs.images.exif import read_orientation
from safety_core.inputs.images.parsed_image import ParsedImage, create_corrupt_error, create_damage_error

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH_AT = 24
_ONCE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf"})
"""Chunks that affect the appearance of a PNG and may occur only once."""

_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})

_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_SAMPLES = {_GREY: 1, _COLOUR: 3, _PALETTE: 1, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}
_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _COLOUR: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _COLOUR_ALPHA: (8, 16),
}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row of each pass of an interlaced image, and the steps between its columns and rows."""

_SURPLUS_BYTES = 64 * 1024
"""Maximum bytes of a PNG's unpacked pixels beyond the size that its header declares."""

_PACKED_AT_ONCE, _UNPACKED_AT_ONCE = 64 * 1024, 1024 * 1024


def parse_png(data: bytes, *, max_chunks: int) -> ParsedImage:
    """Check the chunks of a PNG file and drop those that do not affect pixels.

    The checksum of the pixels is verified later, by :func:`verify_png_pixels`.

    Raises:
        ImageError: ``image_corrupt``: damage, a wrong checksum of a critical chunk, a duplicate of a chunk that must be
            unique, unknown critical chunks, or too many chunks.
    """
    if data[8:16] != b"\0\0\0\x0dIHDR":
        raise create_corrupt_error("The image does not begin with its header.")
    first_chunks: dict[bytes, bytes] = {}
    pixels: list[memoryview] = []
    animated = ended = False
    view = memoryview(data)
    at, chunks = 8, 0
    while at + 8 <= len(data):
        kind = data[at + 4 : at + 8]
        if not kind.isalpha():
            if not pixels:
                raise create_damage_error()
            break  # bytes after complete pixels are ignored
        chunks += 1
        if chunks > max_chunks:
            raise create_corrupt_error(f"The image has more than {max_chunks} chunks.")
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        critical = not kind[0] & 0x20
        if critical and kind not in _CRITICAL:
            raise create_corrupt_error("The image has unknown critical chunks.")
        if kind in first_chunks and kind in _ONCE:
            raise create_corrupt_error("The image contains a part twice that may appear only once.")
        ended = ended or (bool(pixels) and kind != b"IDAT")
        if ended and kind in (b"PLTE", b"tRNS"):
            raise create_corrupt_error("The image has header chunks after its pixels.")
        if kind == b"IEND":
            break
        body = view[at + 8 : end - 4]
        if critical or kind == b"tRNS":
            _verify_checksum(view, at, end)
        if kind == b"IDAT":
            pixels += (
                [] if ended else [body]
            )  # decoders ignore a second run of chunks, so the first run must be complete
        elif kind == b"fdAT" or (kind == b"acTL" and int.from_bytes(body[:4], "big") > 1):
            animated = True
        elif kind in _ONCE and (critical or kind == b"tRNS" or _matches_checksum(view, at, end)):
            if kind == b"tRNS" and first_chunks[b"IHDR"][9:10] == b"\3" and b"PLTE" not in first_chunks:
                raise create_corrupt_error("The image's transparency comes before its palette.")
            first_chunks[kind] = bytes(body)
        elif kind in _ONCE:
            first_chunks[kind] = b""  # browsers ignore a broken profile or orientation
        at = end
    if not pixels:
        raise create_damage_error()
    header = first_chunks[b"IHDR"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", header)
    if depth not in _DEPTHS.get(colour, ()) or rest[:2] != [0, 0] or rest[2] > 1 or not (width and height):
        raise create_damage_error()
    parts = [PNG_SIGNATURE, _build_chunk(b"IHDR", header)]
    if colour == _PALETTE:
        parts += [_build_chunk(b"PLTE", first_chunks[b"PLTE"])] if b"PLTE" in first_chunks else []
    if colour in (_GREY, _COLOUR, _PALETTE):
        parts += [_build_chunk(b"tRNS", first_chunks[b"tRNS"])] if b"tRNS" in first_chunks else []
    parts += [_build_chunk(b"IDAT", b"".join(pixels)), _build_chunk(b"IEND", b"")]
    return ParsedImage(
        kind="PNG",
        data=b"".join(parts),
        width=width,
        height=height,
        animated=animated,
        channels=4 if b"tRNS" in first_chunks else 1 if colour == _PALETTE else _SAMPLES[colour],
        unpacked=_compute_unpacked_size(width, height, depth * _SAMPLES[colour], interlaced=bool(rest[2])),
        orientation=read_orientation(first_chunks.get(b"eXIf")),
        profile=_unpack_profile(first_chunks.get(b"iCCP", b"")),
    )


def _build_chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))))


def _matches_checksum(data: memoryview, at: int, end: int) -> bool:
    """Whether a chunk is complete and its checksum correct."""
    return end <= len(data) and zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _verify_checksum(data: memoryview, at: int, end: int) -> None:
    if not _matches_checksum(data, at, end):
        raise create_corrupt_error("The image is damaged: a checksum is wrong.")


def _compute_unpacked_size(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Compute the bytes of all rows of a PNG, each with its filter byte."""
    total = 0
    for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def verify_png_pixels(file: ParsedImage, check: Callable[[], None]) -> None:
    """Unpack a PNG's pixels, without storing them, and verify their checksum, which decoders skip.

    Args:
        file: a PNG.
        check: called regularly; may raise.

    Raises:
        ImageError: ``image_corrupt``.
    """
    packed, at = memoryview(file.data)[:-16], 8
    while bytes(packed[at + 4 : at + 8]) != b"IDAT":  # of at most three chunks
        at += 12 + int.from_bytes(packed[at : at + 4], "big")
    unpacker, size = zlib.decompressobj(), 0
    try:
        for start in range(at + 8, len(packed), _PACKED_AT_ONCE):
            left: bytes | memoryview = packed[start : start + _PACKED_AT_ONCE]
            while left and not unpacker.eof:
                size += len(unpacker.decompress(left, _UNPACKED_AT_ONCE))
                left = unpacker.unconsumed_tail
                if size > file.unpacked + _SURPLUS_BYTES:
                    raise create_corrupt_error("The image has more pixel data than its header declares.")
                check()
    except zlib.error:
        raise create_damage_error() from None
    if not unpacker.eof or size < file.unpacked:
        raise create_damage_error()


def _unpack_profile(body: bytes) -> bytes | None:
    """Decompress the profile in an ``iCCP`` chunk; None if it is broken or too large."""
    name, separator, packed = body.partition(b"\0")
    if not separator or len(name) > 79 or packed[:1] != b"\0":
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], MAX_PROFILE_BYTES + 1)
    except zlib.error:
        return None
    return reduce_profile(profile)


def scale_png_key(data: bytes, mode: str, key: object) -> object:
    """Scale the transparent colour of a PNG to the values of Pillow's pixels.

    Pillow returns the colour as stored in the file, but scales 2-bit and 4-bit grey to 8 bits, and keeps only the upper
    bytes of 16-bit colours, so that colours that differ in the lower bytes count as equal.

    Args:
        data: a PNG whose structure was checked.
        mode: Pillow's mode of its pixels.
        key: ``info["transparency"]``.
    """
    depth = data[_PNG_DEPTH_AT]
    if mode == "L" and depth in (2, 4) and isinstance(key, int):
        return key * 255 // (2**depth - 1)
    if mode == "RGB" and depth == 16 and isinstance(key, tuple):
        return tuple(value >> 8 for value in key)
    return key
