"""PNG files of every colour type, bit depth and interlacing of the format; Pillow writes only some of them.

Knows the container and its filters. The samples are random.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

SIGNATURE = b"\x89PNG\r\n\x1a\n"

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6

_SAMPLES = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOUR_ALPHA: 4}

DEPTHS = {GREY: (1, 2, 4, 8, 16), COLOUR: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), COLOUR_ALPHA: (8, 16)}
"""Bit depths that each colour type allows."""

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row of each pass, and the steps between columns and between rows."""

_FILTERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Fields of the header."""

    width: int
    """Width in pixels."""

    height: int
    """Height in pixels."""

    colour: int
    """Colour type."""

    depth: int
    """Bits per sample."""

    interlaced: bool = False
    """Whether the pixels are stored in the seven passes of Adam7."""

    @property
    def header(self) -> bytes:
        """Body of the ``IHDR`` chunk."""
        return struct.pack(">IIBBBBB", self.width, self.height, self.depth, self.colour, 0, 0, self.interlaced)

    @property
    def rows(self) -> Iterator[int]:
        """Length of each stored row in bytes, without the byte of its filter."""
        for left, top, across, down in _ADAM7 if self.interlaced else ((0, 0, 1, 1),):
            columns = -(-(self.width - left) // across)
            if columns > 0:
                for _ in range(top, self.height, down):
                    yield -(-columns * _SAMPLES[self.colour] * self.depth // 8)


def chunk(kind: bytes, body: bytes) -> bytes:
    """Build one chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def drawn_png(shape: Shape, random: Random, *, extras: Sequence[tuple[bytes, bytes]] = (), pieces: int = 1) -> bytes:
    """Build a valid PNG.

    Args:
        shape: fields of the header.
        random: generates the samples, the palette and the filter of every row.
        extras: type and body of the chunks between header and pixels, except the palette.
        pieces: number of ``IDAT`` chunks that hold the pixels.
    """
    palette = random.randbytes(3 * 2**shape.depth) if shape.colour == PALETTE else b""
    rows = b"".join(bytes([random.randrange(_FILTERS)]) + random.randbytes(length) for length in shape.rows)
    pixels = zlib.compress(rows)
    cuts = [len(pixels) * index // pieces for index in range(pieces + 1)]
    chunks = [chunk(b"IHDR", shape.header)]
    before_palette = {b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"sBIT"}
    chunks += [chunk(kind, body) for kind, body in extras if kind in before_palette]
    chunks += [chunk(b"PLTE", palette)] if palette else []
    chunks += [chunk(kind, body) for kind, body in extras if kind not in before_palette]
    chunks += [chunk(b"IDAT", pixels[start:end]) for start, end in pairwise(cuts)]
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")
