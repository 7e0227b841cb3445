"""Parses GIF files: counts blocks and keeps the first frame."""

import struct

from safety_core.inputs.images.parsed_image import (
    MAX_JUNK_BYTES,
    ParsedImage,
    create_corrupt_error,
    create_damage_error,
)

_GRAPHIC_CONTROL = 0xF9
_TRANSPARENT = 1
_OWN_COLOURS = 0x80


class _Blocks:
    """Skips the blocks of a GIF, up to a limit."""

    def __init__(self, data: bytes, max_blocks: int) -> None:
        self._data = data
        self._left = max_blocks

    def find_end(self, at: int) -> int:
        """Return the end of the blocks that begin at ``at``: after their terminator, or after the end of the file."""
        data, left, length = self._data, self._left, len(self._data)
        while at < length:
            left -= 1
            if left < 0:
                raise create_corrupt_error("The image has too many blocks.")
            size = data[at]
            at += size + 1
            if not size:
                break
        self._left = left
        return at


def parse_gif(data: bytes, *, max_blocks: int) -> ParsedImage:
    """Check the blocks of a GIF file and keep those of its first frame.

    Raises:
        ImageError: ``image_corrupt``: damage, two control extensions for one frame, too many blocks, or too many stray
            bytes.
    """
    blocks, junk = _Blocks(data, max_blocks), 0
    try:
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        at = 13 + _measure_palette(flags)
        kept = [data[:at]]
        control = frame = b""
        animated = False
        while at < len(data) and data[at] != 0x3B:
            if data[at] == 0x21:
                if data[at + 1] == _GRAPHIC_CONTROL and not frame:
                    if control:
                        raise create_corrupt_error("The image contains a part twice that may appear only once.")
                    control = _reduce_control(data, at)
                at = blocks.find_end(at + 2)
            elif data[at] == 0x2C:
                if frame:
                    animated = True
                    break
                left, top, across, down, own = struct.unpack_from("<HHHHB", data, at + 1)
                width, height = max(width, left + across), max(height, top + down)
                start, at = at, at + 10 + _measure_palette(own)
                at = blocks.find_end(at + 1)
                frame = data[start:at]
            else:
                at, junk = at + 1, junk + 1
                if junk > MAX_JUNK_BYTES:
                    if frame:
                        break
                    raise create_corrupt_error("The image has too many bytes between its blocks.")
    except (struct.error, IndexError):
        if not frame:
            raise create_damage_error() from None
    if not frame or not (width and height):
        raise create_damage_error()
    kept += [control, frame, b";"]
    return ParsedImage(
        kind="GIF", data=b"".join(kept), width=width, height=height, animated=animated, channels=4 if control else 3
    )


def _measure_palette(flags: int) -> int:
    """Return the bytes of the palette that flags declare."""
    return 3 << (flags & 7) + 1 if flags & _OWN_COLOURS else 0


def _reduce_control(data: bytes, at: int) -> bytes:
    """Reduce a graphic control extension to the transparent colour; empty if there is none."""
    if data[at + 2] < 4:
        raise create_damage_error()
    return bytes((0x21, _GRAPHIC_CONTROL, 4, _TRANSPARENT, 0, 0, data[at + 6], 0)) if data[at + 3] & 1 else b""
