"""What the bytes of a picture file say, read by hand: all that Pillow should not be asked, or not before it is known.

A file may have millions of parts that a reader in Python goes through one by one, metadata that refer to each other's
bytes until they fill the memory, and parts twice that it should have once, of which one program takes the first and
another the last. So parts are counted before anything is decoded, what is ambiguous is refused, and of EXIF nothing is
read but the orientation.

Knows no pixels: what they become is decided in ``images``.
"""

import re
import struct

from safety_core.errors import ImageError

_JPEG_MARKER = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe]")
"""Markers of segments and of the end, found as Pillow and libjpeg find them. What else follows 0xFF is entropy-coded
data, filling, a restart, or has no length and is refused by libjpeg."""

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9

_PNG_HEADER = b"\0\0\0\x0dIHDR"
_PNG_DEPTH_AT = 24
_ONCE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf"})
"""Chunks that decide how a PNG looks, and that its specification allows once."""

_PACKED = frozenset({b"zTXt", b"iTXt"})
"""Chunks with texts that may be compressed."""

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION, _SHORT = 0x0112, 3


def refusal(code: str, message: str) -> ImageError:
    """The error for a picture; messages never quote the file."""
    return ImageError(message, code=code, param="image")


def check_jpeg(data: bytes, *, max_segments: int, max_scans: int) -> None:
    """Count a JPEG's segments and scans up to its end; what a phone appends (a video, a depth map) is never decoded.

    Raises:
        ImageError: ``image_corrupt``, there are too many, or no scan at all.
    """
    at, segments, scans = 2, 0, 0
    while (found := _JPEG_MARKER.search(data, at)) and data[found.end() - 1] != _END_OF_IMAGE:
        segments += 1
        scans += data[found.end() - 1] == _START_OF_SCAN
        if segments > max_segments:
            raise refusal("image_corrupt", f"The image has more than {max_segments} segments.")
        if scans > max_scans:
            raise refusal("image_corrupt", f"The image has more than {max_scans} scans.")
        at = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
    if not scans:  # Pillow reads on behind an early end; libjpeg does not
        raise refusal("image_corrupt", "The image has no scan.")


def check_png(data: bytes, *, max_chunks: int, max_texts: int) -> None:
    """Count a PNG's chunks and packed texts up to its end, and look for frames and for what may not stand there twice.

    Raises:
        ImageError: ``image_corrupt``; ``image_animated`` for a file with frames, even where its header denies them.
    """
    if not data.startswith(_PNG_HEADER, 8):
        raise refusal("image_corrupt", "The image does not begin with its header.")
    at, chunks, texts, seen = 8, 0, 0, set[bytes]()
    while (kind := data[at + 4 : at + 8]) and kind != b"IEND":
        chunks += 1
        if chunks > max_chunks:
            raise refusal("image_corrupt", f"The image has more than {max_chunks} chunks.")
        texts += kind in _PACKED
        if texts > max_texts:
            raise refusal("image_corrupt", f"The image has more than {max_texts} compressed texts.")
        if kind == b"fdAT":
            raise refusal("image_animated", "The image has more than one frame.")
        if kind in seen & _ONCE:
            raise refusal("image_corrupt", "The image describes itself twice.")
        seen.add(kind)
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def png_key(data: bytes, mode: str, key: object) -> object:
    """The transparent colour of a PNG as Pillow's pixels have it.

    Pillow hands it out as the file says it, but stretches grey of 2 or 4 bits to 8, and keeps of 16-bit colours the
    upper bytes alone: colours that differ in the lower ones are taken for the same.

    Args:
        data: a PNG that passed :func:`check_png`.
        mode: Pillow's mode of its pixels.
        key: ``info["transparency"]``.
    """
    depth = data[_PNG_DEPTH_AT]
    if mode == "L" and depth in (2, 4) and isinstance(key, int):
        return key * 255 // (2**depth - 1)
    if mode == "RGB" and depth == 16 and isinstance(key, tuple):
        return tuple(value >> 8 for value in key)
    return key


def orientation(exif: object) -> int:
    """EXIF's orientation, 1 to 8 where it is sound; 1 where there is none to be found.

    Pillow would read every other tag too: in some versions each with a copy of all the others' bytes, in others with a
    warning for each that is damaged.
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
        for at in range(first + 2, first + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", tiff, at)
            if (tag, kind, values) == (_ORIENTATION, _SHORT, 1):
                return int(value)
    except struct.error:  # cut short
        pass
    return 1
