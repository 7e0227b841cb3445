"""Reads the orientation from EXIF metadata, and no other tag."""

import struct

_MAX_TAGS = 4096
"""Maximum entries of an EXIF directory that are read; cameras write a few dozen, in ascending order."""

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION, _SHORT = 0x0112, 3


def read_orientation(exif: object) -> int:
    """Read the orientation of an EXIF block, 1 to 8; 1 if there is none that can be read.

    Pillow would read every tag: some versions copy the remaining bytes for each tag, other versions warn about each
    damaged tag.
    """
    if not isinstance(exif, bytes):
        return 1
    tiff = exif.removeprefix(b"Exif\0\0")
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for at in range(first + 2, first + 2 + 12 * min(count, _MAX_TAGS), 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", tiff, at)
            if (tag, kind, values) == (_ORIENTATION, _SHORT, 1):
                return int(value)
    except struct.error:  # truncated
        pass
    return 1
