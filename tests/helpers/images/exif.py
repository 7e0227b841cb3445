"""Builds EXIF metadata."""

import struct

TAG, SHORT, LONG = 0x0112, 3, 4


def build_exif(*entries: tuple[int, int, int, int], order: str = "<", behind: bytes = b"") -> bytes:
    """EXIF of one directory of (tag, kind, count, value); numbers of two bytes stand at the start of their field."""
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack(f"{order}HHI", tag, kind, count)
        directory += struct.pack(f"{order}HH", value, 0) if kind == SHORT else struct.pack(f"{order}I", value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + directory + bytes(4) + behind
