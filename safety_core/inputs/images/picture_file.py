"""Parses picture files itself: detects faults before a decoder reads the file, and drops parts that no picture needs.

A file may have millions of parts that a reader in Python goes through one by one, fill bytes that it skips one by one,
metadata that unpacks to gigabytes, and duplicate parts, of which one program uses the first and another the last. So
every loop here is bounded, ambiguous files are rejected, and the output is a new file that contains only the parts that
decide pixels: texts, times, previews, comments and private parts never reach a decoder, whatever they contain. Of EXIF
only the orientation is read.

Knows no pixels: ``images`` decodes and scales them.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from safety_core.errors import ImageError

Kind = Literal["JPEG", "PNG", "GIF", "WEBP"]

MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""Size limit of an unpacked colour profile; the largest printing profiles have two or three megabytes. A larger one is
ignored like a broken one."""

_MAX_FILL_BYTES = 64
"""Longest run of 0xFF before a marker of a JPEG; the format allows any, encoders write one or two."""

_MAX_JUNK_BYTES = 4096
"""Stray bytes between the parts of a file; some cameras and old programs leave a few."""

_MAX_TABLE_BYTES = 64 * 1024
"""Tables of a JPEG before its first scan; encoders write less than three kilobytes."""

_MAX_TAGS = 4096
"""Entries of an EXIF directory that are read; cameras write some tens, in ascending order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """A picture's file, reduced to the parts that decide its pixels."""

    kind: Kind
    """Format."""

    data: bytes
    """A file of this format without any metadata."""

    width: int
    """Width in pixels, as stored."""

    height: int
    """Height in pixels, as stored."""

    animated: bool = False
    """Whether the file has more than one frame."""

    channels: int = 3
    """Samples of a decoded pixel, 1 to 4."""

    passes: float = 1.0
    """Samples read by all scans of a JPEG, for each pixel; 1 for other formats."""

    buffered: bool = False
    """Whether a JPEG's coefficients are kept in memory until the last scan, two bytes each."""

    samples: float = 0.0
    """Samples of a JPEG for each of its pixels."""

    unpacked: int = 0
    """Size in bytes of a PNG's unpacked pixels."""

    orientation: int = 1
    """EXIF orientation, 1 to 8; 1 if there is none."""

    profile: bytes | None = None
    """ICC colour profile, reduced to the tags that decide colours; may still be broken."""


def refusal(code: str, message: str) -> ImageError:
    """The error for a picture; messages never quote the file."""
    return ImageError(message, code=code, param="image")


def _corrupt(message: str) -> ImageError:
    return refusal("image_corrupt", message)


def _damaged() -> ImageError:
    return _corrupt("The image cannot be decoded: it is damaged or cut short.")


def read_picture_file(data: bytes, *, max_segments: int, max_scans: int) -> PictureFile:
    """Check the structure of a file and keep what decides its pixels; nothing is decoded.

    Args:
        data: a JPEG, PNG, GIF or WebP by its first bytes.
        max_segments: segments of a JPEG, chunks of a PNG or WebP; a GIF may have as many blocks, and one more for every
            hundred of its bytes.
        max_scans: scans of a JPEG.

    Raises:
        ImageError: ``image_format`` or ``image_corrupt``.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return _read_jpeg(data, max_segments=max_segments, max_scans=max_scans)
    if data.startswith(_PNG_SIGNATURE):
        return _read_png(data, max_chunks=max_segments)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _read_gif(data, max_blocks=max_segments + len(data) // 100)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _read_webp(data, max_chunks=max_segments)
    raise refusal("image_format", "Only JPEG, PNG, WebP and GIF images are accepted.")


# --- JPEG ------------------------------------------------------------------------------------------------------------

_FILL = re.compile(rb"\xff+")

_NEXT_MARKER = re.compile(rb"\xff(?:(\xff{%d})|[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe])" % _MAX_FILL_BYTES)
"""Markers of segments and of the end after the first scan, found as libjpeg finds them; or a run of fill bytes that is
too long. Anything else after 0xFF is entropy-coded data, a restart, or a marker without a length, which libjpeg
rejects."""

_MARKER_SLICE = 32 * 1024
"""Bytes that are searched for a marker at a time: less than a millisecond, whatever they hold."""

_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})
"""Huffman and arithmetic tables, quantisation tables, restart interval."""

_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}
"""Markers without a length."""

_SKIPPED = frozenset(range(0xE0, 0xF0)) | {0xFE, 0xDC}
"""Application data, comments, and a number of lines, which libjpeg ignores."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Contents of a JPEG's frame header."""

    code: int
    width: int
    height: int
    components: tuple[tuple[int, float], ...]
    """Samples for each pixel, by component id."""

    @staticmethod
    def read(code: int, body: bytes) -> "_Frame":
        """Raises ImageError, IndexError, struct.error."""
        _, height, width, count = struct.unpack_from(">BHHB", body)
        read = [struct.unpack_from("BB", body, 6 + 3 * index) for index in range(count)]
        areas = [(sampling >> 4) * (sampling & 15) for _, sampling in read]
        if count not in (1, 3, 4) or not all(areas):
            raise _damaged()
        largest = max(sampling >> 4 for _, sampling in read) * max(sampling & 15 for _, sampling in read)
        components = tuple((number, area / largest) for (number, _), area in zip(read, areas, strict=True))
        return _Frame(code, width, height, components)

    @property
    def samples(self) -> float:
        """Samples of all components for each pixel."""
        return sum(share for _, share in self.components)

    def samples_of(self, scan: bytes) -> float:
        """Samples that a scan reads for each pixel, by its header."""
        shares = dict(self.components)
        return sum(shares.get(number, 1.0) for number in scan[1 : 1 + 2 * scan[0] : 2]) if scan else 1.0


def _read_jpeg(data: bytes, *, max_segments: int, max_scans: int) -> PictureFile:
    kept, exif, profile = [b"\xff\xd8"], list[bytes](), list[bytes]()
    frame: _Frame | None = None
    tables = 0
    scans_at = 0
    scan = b""
    count = 0
    for code, start, body in _header_segments(data):
        count += 1
        if count > max_segments:
            raise _corrupt(f"The image has more than {max_segments} segments.")
        whole = data[start : start + 4 + len(body)]
        if code == _START_OF_SCAN:
            scans_at, scan = start, body
            break
        if code in _FRAMES:
            if frame is not None:
                raise _corrupt("The image contains a part twice that may appear only once.")
            try:
                frame = _Frame.read(code, body)
            except struct.error:
                raise _damaged() from None
            kept.append(whole)
        elif code in _TABLES:
            tables += len(whole)
            if tables > _MAX_TABLE_BYTES:
                raise _corrupt("The image has too many tables.")
            kept.append(whole)
        elif (code == 0xE0 and body.startswith(b"JFIF\0")) or (code == 0xEE and body.startswith(b"Adobe")):
            kept.append(whole)  # they say what the components mean
        elif code == 0xE1 and body.startswith(b"Exif\0\0"):
            exif.append(body[6:])
        elif code == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile.append(body)
    if frame is None or not scans_at:
        raise _corrupt("The image has no scan.")  # libjpeg does not read on behind an early end
    passes = frame.samples_of(scan)
    scans, at = 1, scans_at + 4 + len(scan)
    while found := _next_marker(data, at):
        code = data[found.end() - 1]
        if found[1]:
            raise _corrupt("The image has too many fill bytes.")
        if code == _END_OF_IMAGE:
            at = found.end()
            break
        count += 1
        length = max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
        if code == _START_OF_SCAN:
            scans += 1
            passes += frame.samples_of(data[found.end() + 2 : found.end() + length])
        if count > max_segments:
            raise _corrupt(f"The image has more than {max_segments} segments.")
        if scans > max_scans:
            raise _corrupt(f"The image has more than {max_scans} scans.")
        at = found.end() + length
    else:
        at = len(data)
    kept.append(data[scans_at:at])
    return PictureFile(
        kind="JPEG",
        data=b"".join(kept),
        width=frame.width,
        height=frame.height,
        channels=len(frame.components),
        passes=passes,
        buffered=frame.code in _PROGRESSIVE or scan[:1] < bytes((len(frame.components),)),
        samples=frame.samples,
        orientation=orientation(b"".join(exif)),
        profile=_joined_profile(profile),
    )


def _next_marker(data: bytes, at: int) -> re.Match[bytes] | None:
    """The first match of ``_NEXT_MARKER``. Searched in slices: one search of megabytes would stop all other threads."""
    while at < len(data):
        found = _NEXT_MARKER.search(data, at, at + _MARKER_SLICE)
        if found is not None:
            return found
        at += _MARKER_SLICE - _MAX_FILL_BYTES  # what a slice cuts is whole in the next one
    return None


def _header_segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marker, position of its 0xFF, and body of each segment up to and including the first scan's."""
    at, junk = 2, 0
    while True:
        start = data.find(b"\xff", at)
        fill = None if start < 0 else _FILL.match(data, start)
        if fill is None or fill.end() == len(data):
            raise _corrupt("The image has no scan.")
        junk += start - at
        if fill.end() - start - 1 > _MAX_FILL_BYTES:
            raise _corrupt("The image has too many fill bytes.")
        code, at = data[fill.end()], fill.end() + 1
        if code == 0 or code in _BARE:
            junk += at - start
        if junk > _MAX_JUNK_BYTES:
            raise _corrupt("The image has too many bytes between its segments.")
        if code == 0 or code in _BARE:
            continue
        if code == _END_OF_IMAGE:
            raise _corrupt("The image has no scan.")
        if code != _START_OF_SCAN and code not in _FRAMES | _TABLES | _SKIPPED:
            raise _damaged()
        end = at + int.from_bytes(data[at : at + 2], "big")
        if end < at + 2 or end > len(data):
            raise _damaged()
        yield code, at - 2, data[at + 2 : end]
        at = end


def _joined_profile(parts: list[bytes]) -> bytes | None:
    """The profile assembled from several segments; None if one is missing."""
    parts.sort()
    if not parts or len(parts[0]) < 14 or parts[0][13] != len(parts):
        return None
    return _bounded_profile(b"".join(part[14:] for part in parts))


# --- PNG -------------------------------------------------------------------------------------------------------------

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH_AT = 24
_ONCE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf"})
"""Chunks that decide how a PNG looks, and that its specification allows once."""

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
"""First column and row of each pass of an interlaced picture, and the steps between its columns and rows."""

_SURPLUS_BYTES = 64 * 1024
"""Extra bytes to which a PNG's pixels may unpack, beyond the size given by its header."""

_PACKED_AT_ONCE, _UNPACKED_AT_ONCE = 64 * 1024, 1024 * 1024


def _read_png(data: bytes, *, max_chunks: int) -> PictureFile:
    if data[8:16] != b"\0\0\0\x0dIHDR":
        raise _corrupt("The image does not begin with its header.")
    found: dict[bytes, bytes] = {}
    pixels: list[memoryview] = []
    animated = ended = False
    whole = memoryview(data)
    at, chunks = 8, 0
    while at + 8 <= len(data):
        kind = data[at + 4 : at + 8]
        if not kind.isalpha():
            if not pixels:
                raise _damaged()
            break  # what follows sound pixels is nobody's
        chunks += 1
        if chunks > max_chunks:
            raise _corrupt(f"The image has more than {max_chunks} chunks.")
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        critical = not kind[0] & 0x20
        if critical and kind not in _CRITICAL:
            raise _corrupt("The image has unknown critical chunks.")
        if kind in found and kind in _ONCE:
            raise _corrupt("The image contains a part twice that may appear only once.")
        ended = ended or (bool(pixels) and kind != b"IDAT")
        if ended and kind in (b"PLTE", b"tRNS"):
            raise _corrupt("The image has header chunks after its pixels.")
        if kind == b"IEND":
            break
        body = whole[at + 8 : end - 4]
        if critical or kind == b"tRNS":
            _check_sum(whole, at, end)
        if kind == b"IDAT":
            pixels += [] if ended else [body]  # a second run of them is read by nobody: the first must be complete
        elif kind == b"fdAT" or (kind == b"acTL" and int.from_bytes(body[:4], "big") > 1):
            animated = True
        elif kind in _ONCE and (critical or kind == b"tRNS" or _is_sound(whole, at, end)):
            if kind == b"tRNS" and found[b"IHDR"][9:10] == b"\3" and b"PLTE" not in found:
                raise _corrupt("The image's transparency comes before its palette.")
            found[kind] = bytes(body)
        elif kind in _ONCE:
            found[kind] = b""  # a broken profile or orientation: browsers go on without
        at = end
    if not pixels:
        raise _damaged()
    header = found[b"IHDR"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", header)
    if depth not in _DEPTHS.get(colour, ()) or rest[:2] != [0, 0] or rest[2] > 1 or not (width and height):
        raise _damaged()
    parts = [_PNG_SIGNATURE, _chunk(b"IHDR", header)]
    if colour == _PALETTE:
        parts += [_chunk(b"PLTE", found[b"PLTE"])] if b"PLTE" in found else []
    if colour in (_GREY, _COLOUR, _PALETTE):
        parts += [_chunk(b"tRNS", found[b"tRNS"])] if b"tRNS" in found else []
    parts += [_chunk(b"IDAT", b"".join(pixels)), _chunk(b"IEND", b"")]
    return PictureFile(
        kind="PNG",
        data=b"".join(parts),
        width=width,
        height=height,
        animated=animated,
        channels=4 if b"tRNS" in found else 1 if colour == _PALETTE else _SAMPLES[colour],
        unpacked=_unpacked_bytes(width, height, depth * _SAMPLES[colour], interlaced=bool(rest[2])),
        orientation=orientation(found.get(b"eXIf")),
        profile=_unpacked_profile(found.get(b"iCCP", b"")),
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))))


def _is_sound(data: memoryview, at: int, end: int) -> bool:
    """Whether a chunk is complete and its checksum correct."""
    return end <= len(data) and zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _check_sum(data: memoryview, at: int, end: int) -> None:
    if not _is_sound(data, at, end):
        raise _corrupt("The image is damaged: a checksum is wrong.")


def _unpacked_bytes(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Bytes of all rows of a PNG, each with its filter byte."""
    total = 0
    for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def check_png_pixels(file: PictureFile, check: Callable[[], None]) -> None:
    """Unpack a PNG's pixels, without keeping them, and verify their checksum, which decoders skip.

    Args:
        file: a PNG.
        check: called regularly; may raise.

    Raises:
        ImageError: ``image_corrupt``.
    """
    packed, at = memoryview(file.data)[:-16], 8
    while bytes(packed[at + 4 : at + 8]) != b"IDAT":  # of at most three
        at += 12 + int.from_bytes(packed[at : at + 4], "big")
    unpacker, size = zlib.decompressobj(), 0
    try:
        for start in range(at + 8, len(packed), _PACKED_AT_ONCE):
            left: bytes | memoryview = packed[start : start + _PACKED_AT_ONCE]
            while left and not unpacker.eof:
                size += len(unpacker.decompress(left, _UNPACKED_AT_ONCE))
                left = unpacker.unconsumed_tail
                if size > file.unpacked + _SURPLUS_BYTES:
                    raise _corrupt("The image has more pixel data than its header declares.")
                check()
    except zlib.error:
        raise _damaged() from None
    if not unpacker.eof or size < file.unpacked:
        raise _damaged()


def _unpacked_profile(body: bytes) -> bytes | None:
    """The profile in an ``iCCP`` chunk; None if it is broken or too large."""
    name, separator, packed = body.partition(b"\0")
    if not separator or len(name) > 79 or packed[:1] != b"\0":
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], MAX_PROFILE_BYTES + 1)
    except zlib.error:
        return None
    return _bounded_profile(profile)


def png_key(data: bytes, mode: str, key: object) -> object:
    """The transparent colour of a PNG in the values of Pillow's pixels.

    Pillow returns it as stored in the file, but scales grey of 2 or 4 bits to 8, and keeps only the upper bytes of
    16-bit colours: colours that differ in the lower bytes are treated as equal.

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


# --- GIF -------------------------------------------------------------------------------------------------------------

_GRAPHIC_CONTROL = 0xF9
_TRANSPARENT = 1
_OWN_COLOURS = 0x80


class _Blocks:
    """Walks the blocks of a GIF, up to a limit."""

    def __init__(self, data: bytes, max_blocks: int) -> None:
        self._data = data
        self._left = max_blocks

    def end(self, at: int) -> int:
        """End of the blocks that begin at ``at``: after their terminator, or after the end of the file."""
        data, left, length = self._data, self._left, len(self._data)
        while at < length:
            left -= 1
            if left < 0:
                raise _corrupt("The image has too many blocks.")
            size = data[at]
            at += size + 1
            if not size:
                break
        self._left = left
        return at


def _read_gif(data: bytes, *, max_blocks: int) -> PictureFile:
    blocks, junk = _Blocks(data, max_blocks), 0
    try:
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        at = 13 + _colours(flags)
        kept = [data[:at]]
        control = picture = b""
        animated = False
        while at < len(data) and data[at] != 0x3B:
            if data[at] == 0x21:
                if data[at + 1] == _GRAPHIC_CONTROL and not picture:
                    if control:
                        raise _corrupt("The image contains a part twice that may appear only once.")
                    control = _control(data, at)
                at = blocks.end(at + 2)
            elif data[at] == 0x2C:
                if picture:
                    animated = True
                    break
                left, top, across, down, own = struct.unpack_from("<HHHHB", data, at + 1)
                width, height = max(width, left + across), max(height, top + down)
                start, at = at, at + 10 + _colours(own)
                at = blocks.end(at + 1)
                picture = data[start:at]
            else:
                at, junk = at + 1, junk + 1
                if junk > _MAX_JUNK_BYTES:
                    if picture:
                        break
                    raise _corrupt("The image has too many bytes between its blocks.")
    except (struct.error, IndexError):
        if not picture:
            raise _damaged() from None
    if not picture or not (width and height):
        raise _damaged()
    kept += [control, picture, b";"]
    return PictureFile(
        kind="GIF", data=b"".join(kept), width=width, height=height, animated=animated, channels=4 if control else 3
    )


def _colours(flags: int) -> int:
    """Bytes of a palette."""
    return 3 << (flags & 7) + 1 if flags & _OWN_COLOURS else 0


def _control(data: bytes, at: int) -> bytes:
    """A graphic control extension with only the transparent colour; empty if there is none."""
    if data[at + 2] < 4:
        raise _damaged()
    return bytes((0x21, _GRAPHIC_CONTROL, 4, _TRANSPARENT, 0, 0, data[at + 6], 0)) if data[at + 3] & 1 else b""


# --- WebP ------------------------------------------------------------------------------------------------------------

_EXTENDED, _LOSSY, _LOSSLESS = b"VP8X", b"VP8 ", b"VP8L"
_HAS_PROFILE, _HAS_ALPHA, _HAS_EXIF, _HAS_FRAMES = 0x20, 0x10, 0x08, 0x02
_WEBP_PIXELS = frozenset({_EXTENDED, _LOSSY, _LOSSLESS, b"ALPH", b"ANIM", b"ANMF"})


def _read_webp(data: bytes, *, max_chunks: int) -> PictureFile:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise _damaged()
    found: dict[bytes, bytes] = {}
    kept: list[bytes] = []
    at, chunks, frames, extended = 12, 0, 0, data[12:16] == _EXTENDED
    while at + 8 <= end:
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        chunks += 1
        if chunks > max_chunks:
            raise _corrupt(f"The image has more than {max_chunks} chunks.")
        if at + 8 + size > end:
            raise _damaged()
        body = data[at + 8 : at + 8 + size]
        if kind in _WEBP_PIXELS:
            frames += kind == b"ANMF"
            if kind in found and kind != b"ANMF":
                raise _corrupt("The image contains a part twice that may appear only once.")
            found[kind] = body if len(body) < 64 else body[:64]
            kept.append(body if kind != _EXTENDED else bytes((body[0] & ~_DROPPED,)) + body[1:] if body else body)
            kept[-1] = b"".join((kind, struct.pack("<I", size), kept[-1], b"\0" * (size & 1)))
        elif kind in (b"ICCP", b"EXIF"):
            found.setdefault(kind, body)
        if not extended and kept:
            break  # nothing follows the pixels of the simple form
        at += 8 + size + (size & 1)
    width, height, alpha = _webp_size(found, extended)
    flags = found[_EXTENDED][0] if extended else 0
    clean = b"".join(kept)
    return PictureFile(
        kind="WEBP",
        data=b"".join((b"RIFF", struct.pack("<I", 4 + len(clean)), b"WEBP", clean)),
        width=width,
        height=height,
        animated=frames > 1,
        channels=4 if alpha else 3,
        orientation=orientation(found.get(b"EXIF") if flags & _HAS_EXIF else None),
        profile=_bounded_profile(found.get(b"ICCP", b"")) if flags & _HAS_PROFILE else None,
    )


_DROPPED = _HAS_PROFILE | _HAS_EXIF | 0x04


def _webp_size(found: dict[bytes, bytes], extended: bool) -> tuple[int, int, bool]:
    """Width, height, and whether the picture has transparency."""
    try:
        if extended:
            head = found[_EXTENDED]
            width, height = (1 + int.from_bytes(head[place : place + 3], "little") for place in (4, 7))
            if len(head) < 10:
                raise _damaged()
            return width, height, bool(head[0] & (_HAS_ALPHA | _HAS_FRAMES)) or b"ALPH" in found
        if _LOSSY in found:
            if found[_LOSSY][3:6] != b"\x9d\x01\x2a":
                raise _damaged()
            width, height = struct.unpack_from("<HH", found[_LOSSY], 6)
            return width & 0x3FFF, height & 0x3FFF, False
        mark, bits = struct.unpack_from("<BI", found[_LOSSLESS])
    except (KeyError, struct.error):
        raise _damaged() from None
    if mark != 0x2F:
        raise _damaged()
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)


# --- colour profiles -------------------------------------------------------------------------------------------------

_PROFILE_HEAD = 128
_MAX_PROFILE_TAGS = 100
"""The maximum that the colour management library reads."""

_COLOUR_TAGS = frozenset(b"rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt chad A2B0 A2B1 A2B2".split())
"""Tags that define the picture's colours."""

_COLOUR_TYPES = frozenset({b"XYZ ", b"curv", b"para", b"mft1", b"mft2", b"mAB ", b"sf32"})
"""Types of tags with a fixed number of processing steps. Another type, ``mpet``, may have hundreds of thousands of
steps that share the same bytes of the file; browsers do not read it."""


def _bounded_profile(profile: bytes) -> bytes | None:
    """A profile reduced to the tags that define its colours; None if it is broken or too large."""
    if not _PROFILE_HEAD + 4 <= len(profile) <= MAX_PROFILE_BYTES:
        return None
    (count,) = struct.unpack_from(">I", profile, _PROFILE_HEAD)
    if count > _MAX_PROFILE_TAGS or _PROFILE_HEAD + 4 + 12 * count > len(profile):
        return None
    kept: list[bytes] = []
    for at in range(_PROFILE_HEAD + 4, _PROFILE_HEAD + 4 + 12 * count, 12):
        tag, place = struct.unpack_from(">4sI", profile, at)
        if tag in _COLOUR_TAGS and profile[place : place + 4] in _COLOUR_TYPES:
            kept.append(profile[at : at + 12])
    table = struct.pack(">I", len(kept)) + b"".join(kept)
    return profile[:_PROFILE_HEAD] + table.ljust(4 + 12 * count, b"\0") + profile[_PROFILE_HEAD + 4 + 12 * count :]


# --- EXIF ------------------------------------------------------------------------------------------------------------

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION, _SHORT = 0x0112, 3


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
        for at in range(first + 2, first + 2 + 12 * min(count, _MAX_TAGS), 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", tiff, at)
            if (tag, kind, values) == (_ORIENTATION, _SHORT, 1):
                return int(value)
    except struct.error:  # cut short
        pass
    return 1
