"""Splits files into the chunks, segments or blocks of their format; joined, the pieces give the file again.

Where a file does not follow its format, the rest of it is the last piece. :func:`repaired` corrects lengths and
checksums, so that a decoder reads the damaged parts behind them.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator

from tests.fuzz.pngs import SIGNATURE

_STANDALONE = frozenset((0x01, *range(0xD0, 0xDA)))
"""JPEG markers without a segment."""

_MARKER = re.compile(rb"\xff[^\x00\xff]")


def pieces_of(data: bytes) -> list[bytes]:
    """Split a file into its chunks, segments or blocks."""
    for magic, cut in _CUTTERS:
        if data.startswith(magic):
            return [piece for piece in cut(data) if piece]
    return [data]


def repaired(data: bytes) -> bytes:
    """Correct the checksums of the chunks of a PNG, or the length of a WebP."""
    if data.startswith(SIGNATURE):
        return b"".join(map(_with_checksum, pieces_of(data)))
    if data.startswith(b"RIFF"):
        return data[:4] + struct.pack("<I", max(0, len(data) - 8)) + data[8:]
    return data


def _with_checksum(piece: bytes) -> bytes:
    if len(piece) < 12 or int.from_bytes(piece[:4], "big") != len(piece) - 12:
        return piece
    return piece[:-4] + struct.pack(">I", zlib.crc32(piece[4:-4]))


def _png(data: bytes) -> Iterator[bytes]:
    yield data[: len(SIGNATURE)]
    at = len(SIGNATURE)
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at:end]
        at = end


def _jpeg(data: bytes) -> Iterator[bytes]:
    """Yield markers with their segments; the data between two of them, mostly entropy-coded, is a piece too."""
    at = 0
    while found := _MARKER.search(data, at):
        yield data[at : found.start()]
        at = found.end()
        if data[at - 1] not in _STANDALONE:
            at += int.from_bytes(data[at : at + 2], "big")
        yield data[found.start() : at]
    yield data[at:]


def _webp(data: bytes) -> Iterator[bytes]:
    yield data[:12]
    at = 12
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        yield data[at:end]
        at = end


def _gif(data: bytes) -> Iterator[bytes]:
    at = 13 + _palette_bytes(data, 10)
    yield data[:at]
    while at < len(data):
        start = at
        if data[at] == 0x21:
            at += 2
        elif data[at] == 0x2C:
            at += 10 + _palette_bytes(data, at + 9) + 1
        else:
            yield data[at:]
            return
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
        yield data[start:at]


def _palette_bytes(data: bytes, at: int) -> int:
    flags = data[at] if at < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


_CUTTERS: tuple[tuple[bytes, Callable[[bytes], Iterator[bytes]]], ...] = (
    (SIGNATURE, _png),
    (b"\xff\xd8", _jpeg),
    (b"RIFF", _webp),
    (b"GIF8", _gif),
)
