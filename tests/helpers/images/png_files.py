"""Builds PNG files chunk by chunk, valid or not."""

import struct
import zlib


def build_png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def build_png(width: int, height: int, *, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + build_png_chunk(b"IHDR", header)
        + extra
        + build_png_chunk(b"IDAT", zlib.compress(rows))
        + build_png_chunk(b"IEND", b"")
    )
