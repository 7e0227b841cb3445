"""Mutations that damage a file: of arbitrary bytes, and of the pieces of its format.

A mutation takes a random generator, a file and a second file as a source of bytes, and returns a damaged file. Knows
the layout of the formats, and no decoder.
"""

import re
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Literal

from tests.fuzz.layout import pieces_of, repaired

Mutation = Callable[[Random, bytes, bytes], bytes]

Field = tuple[int, int, Literal["big", "little"]]
"""A number in a piece: its offset, its length in bytes, and its byte order."""

_MAX_BYTES = 256 * 1024
"""Largest size of a file after several mutations."""

_EDGES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 64, 100, 127, 128, 255, 256, 511, 512, 1000, 1024, 4096, 16383, 16384,
          32767, 32768, 65535, 65536, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1)  # fmt: skip
"""Edge values, with which code that reads numbers often fails."""

_HEAD_BYTES = 32
"""Length of the part of a piece that describes the rest."""

_LENGTHS: tuple[tuple[bytes, Field], ...] = (
    (b"\x89PNG", (0, 4, "big")),
    (b"\xff\xd8", (2, 2, "big")),
    (b"RIFF", (4, 4, "little")),
    (b"GIF8", (2, 1, "little")),
)
"""Field of each format that holds the length of a piece."""

_SIZES: tuple[tuple[re.Pattern[bytes], tuple[Field, ...]], ...] = (
    (re.compile(rb"....IHDR", re.DOTALL), ((8, 4, "big"), (12, 4, "big"))),
    (re.compile(rb"....fcTL", re.DOTALL), ((12, 4, "big"), (16, 4, "big"))),
    (re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]"), ((5, 2, "big"), (7, 2, "big"))),
    (re.compile(rb"VP8X"), ((12, 3, "little"), (15, 3, "little"))),
    (re.compile(rb"VP8 "), ((14, 2, "little"), (16, 2, "little"))),
    (re.compile(rb"VP8L"), ((9, 4, "little"),)),
    (re.compile(rb"GIF8"), ((6, 2, "little"), (8, 2, "little"))),
    (re.compile(rb","), ((5, 2, "little"), (7, 2, "little"))),
)
"""Fields for width and height, by the beginning of the piece that contains them."""


def damaged(random: Random, data: bytes, other: bytes) -> bytes:
    """Apply up to four mutations; in three of four files, correct lengths and checksums afterwards."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        data = random.choice(MUTATIONS)(random, data, other)[:_MAX_BYTES]
    return data if random.random() < 0.25 else repaired(data)


# --- of bytes --------------------------------------------------------------------------------------------------------


def flip_bits(random: Random, data: bytes, other: bytes) -> bytes:
    """Flip a few bits."""
    flipped = bytearray(data)
    for _ in range(random.randint(1, 8) if data else 0):
        flipped[_place(random, data)] ^= 1 << random.randrange(8)
    return bytes(flipped)


def set_numbers(random: Random, data: bytes, other: bytes) -> bytes:
    """Overwrite one, two or four bytes with an edge value, up to three times."""
    for _ in range(random.randint(1, 3)):
        width, at = random.choice((1, 2, 4)), _place(random, data)
        number = random.choice(_EDGES) % (1 << 8 * width)
        data = data[:at] + number.to_bytes(width, random.choice(("big", "little"))) + data[at + width :]
    return data


def cut_short(random: Random, data: bytes, other: bytes) -> bytes:
    """Remove the end of the file."""
    return data[: _place(random, data)]


def drop_bytes(random: Random, data: bytes, other: bytes) -> bytes:
    """Remove some bytes."""
    at = _place(random, data)
    return data[:at] + data[at + random.choice((1, 2, 3, 4, 16, 100)) :]


def insert_bytes(random: Random, data: bytes, other: bytes) -> bytes:
    """Insert random bytes, equal bytes, or a copy of bytes of the file."""
    at, count = _place(random, data), random.choice((1, 2, 3, 4, 16, 100, 5000))
    start = _place(random, data)
    inserted = random.choice(
        (random.randbytes(count), bytes([random.randrange(256)]) * count, data[start : start + count])
    )
    return data[:at] + inserted + data[at:]


def splice(random: Random, data: bytes, other: bytes) -> bytes:
    """Join the beginning of one file and the end of another."""
    return data[: _place(random, data)] + other[_place(random, other) :]


# --- of pieces -------------------------------------------------------------------------------------------------------


def swap_pieces(random: Random, data: bytes, other: bytes) -> bytes:
    """Swap two pieces."""
    pieces = pieces_of(data)
    left, right = _which(random, pieces), _which(random, pieces)
    pieces[left], pieces[right] = pieces[right], pieces[left]
    return b"".join(pieces)


def repeat_piece(random: Random, data: bytes, other: bytes) -> bytes:
    """Repeat a piece."""
    pieces = pieces_of(data)
    at = _which(random, pieces)
    pieces[at] *= min(random.choice((2, 2, 3, 10, 100, 5000)), _MAX_BYTES // (len(pieces[at]) or 1))
    return b"".join(pieces)


def drop_piece(random: Random, data: bytes, other: bytes) -> bytes:
    """Remove a piece."""
    pieces = pieces_of(data)
    del pieces[_which(random, pieces)]
    return b"".join(pieces)


def borrow_piece(random: Random, data: bytes, other: bytes) -> bytes:
    """Insert a piece of the other file, or replace a piece with it."""
    pieces, theirs = pieces_of(data), pieces_of(other)
    at = _which(random, pieces)
    pieces[at : at + random.randint(0, 1)] = [random.choice(theirs)]
    return b"".join(pieces)


def insert_filling(random: Random, data: bytes, other: bytes) -> bytes:
    """Insert a run of one byte value between two pieces: fill bytes, junk, or the first byte of a piece."""
    pieces = pieces_of(data)
    run = bytes([random.choice((0xFF, 0xFF, 0x00, 0x21, 0x2C))]) * random.choice(
        (1, 2, 63, 64, 65, 4095, 4097, 100_000)
    )
    pieces.insert(random.randint(1, len(pieces)), run)
    return b"".join(pieces)


def set_length(random: Random, data: bytes, other: bytes) -> bytes:
    """Change the length field of a piece."""
    pieces = pieces_of(data)
    at = _which(random, pieces)
    field = next((field for magic, field in _LENGTHS if data.startswith(magic)), (0, 1, "big"))
    pieces[at] = _with_number(random, pieces[at], field)
    return b"".join(pieces)


def set_size(random: Random, data: bytes, other: bytes) -> bytes:
    """Change width, height or both in a header."""
    pieces = pieces_of(data)
    at = random.choice([at for at, piece in enumerate(pieces) if _size_fields(piece)] or [0])
    fields = _size_fields(pieces[at])
    for field in random.sample(fields, random.randint(1, len(fields))) if fields else ():
        pieces[at] = _with_number(random, pieces[at], field, (random.randrange(2000), random.randrange(20_000)))
    return b"".join(pieces)


def change_compressed(random: Random, data: bytes, other: bytes) -> bytes:
    """Damage or enlarge the compressed content of a PNG's chunk: filters, samples, profiles or texts."""
    pieces = pieces_of(data)
    packed = [at for at, piece in enumerate(pieces) if piece[4:8] in (b"IDAT", b"iCCP", b"zTXt", b"iTXt")]
    if not packed:
        return data
    at = random.choice(packed)
    head, body, checksum = pieces[at][:8], pieces[at][8:-4], pieces[at][-4:]
    start = max(0, body.find(b"\x78"))  # the first byte of zlib data, which a keyword may precede
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(body[start:], _MAX_BYTES)
    except zlib.error:
        return data
    plain = random.choice((flip_bits, set_numbers, cut_short, drop_bytes, insert_bytes, _blown_up))(
        random, plain, other
    )
    body = body[:start] + zlib.compress(plain, random.choice((0, 1, 9)))
    pieces[at] = len(body).to_bytes(4, "big") + head[4:] + body + checksum
    return b"".join(pieces)


def _blown_up(random: Random, data: bytes, other: bytes) -> bytes:
    """Enlarge the data to about a megabyte that compresses well."""
    return data + data[-1:] * (2**20 - len(data) + random.choice((-1, 0, 1)))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, set_numbers, cut_short, drop_bytes, insert_bytes, splice,
    swap_pieces, repeat_piece, drop_piece, borrow_piece, insert_filling, set_length, set_size, change_compressed,
)  # fmt: skip


def _with_number(random: Random, piece: bytes, field: Field, others: Sequence[int] = ()) -> bytes:
    """Replace a number in a piece: near the old number, an edge value, or one of ``others``."""
    start, width, order = field
    told = int.from_bytes(piece[start : start + width], order)
    near = (told - 1, told + 1, told // 2, told * 2)
    number = random.choice(random.choice((near, others or near, _EDGES))) % (1 << 8 * width)
    return piece[:start] + number.to_bytes(width, order) + piece[start + width :]


def _size_fields(piece: bytes) -> tuple[Field, ...]:
    return next((fields for beginning, fields in _SIZES if beginning.match(piece)), ())


def _which(random: Random, pieces: list[bytes]) -> int:
    """Select a piece, rarely the first one: a file with a damaged signature is refused before it is decoded."""
    return 0 if len(pieces) == 1 or random.random() < 0.03 else random.randrange(1, len(pieces))


def _place(random: Random, data: bytes) -> int:
    """Select a position: anywhere in the file, or at the beginning of a piece, whatever its size."""
    if random.random() < 0.5 or not data:
        return random.randrange(len(data) or 1)
    pieces = pieces_of(data)
    index = _which(random, pieces)
    return sum(map(len, pieces[:index])) + random.randrange(min(len(pieces[index]), _HEAD_BYTES))
