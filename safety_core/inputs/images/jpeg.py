"""Parses JPEG files: counts segments and scans, and keeps the tables, the frame and the entropy-coded data."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from safety_core.inputs.images.colour_profile import reduce_profile
from safety_core.inputs.images.exif import read_orientation
from safety_core.inputs.images.parsed_image import (
    MAX_JUNK_BYTES,
    ParsedImage,
    create_corrupt_error,
    create_damage_error,
)

_MAX_FILL_BYTES = 64
"""Maximum number of 0xFF bytes before a JPEG marker; the format has no limit, encoders write one or two."""

_MAX_TABLE_BYTES = 64 * 1024
"""Maximum bytes of the tables before the first scan of a JPEG; encoders write less than three kilobytes."""

_FILL = re.compile(rb"\xff+")

_NEXT_MARKER = re.compile(rb"\xff(?:(\xff{%d})|[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe])" % _MAX_FILL_BYTES)
"""Matches markers of segments and of the end after the first scan, as libjpeg does, or too many fill bytes. Anything
else after 0xFF is entropy-coded data, a restart, or a marker without a length, which libjpeg rejects."""

_MARKER_SLICE = 32 * 1024
"""Bytes that are searched for a marker at a time: less than a millisecond for any content."""

_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})
"""Huffman and arithmetic tables, quantisation tables, restart interval."""

_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}
"""Markers without a length."""

_SKIPPED = frozenset(range(0xE0, 0xF0)) | {0xFE, 0xDC}
"""Application data, comments, and the number of lines (DNL), which libjpeg ignores."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Contents of a JPEG's frame header."""

    code: int
    width: int
    height: int
    components: tuple[tuple[int, float], ...]
    """Samples for each pixel, by component id."""

    @staticmethod
    def parse(code: int, body: bytes) -> "_Frame":
        """Parse a frame header; raises ImageError, IndexError, struct.error."""
        _, height, width, count = struct.unpack_from(">BHHB", body)
        read = [struct.unpack_from("BB", body, 6 + 3 * index) for index in range(count)]
        areas = [(sampling >> 4) * (sampling & 15) for _, sampling in read]
        if count not in (1, 3, 4) or not all(areas):
            raise create_damage_error()
        largest = max(sampling >> 4 for _, sampling in read) * max(sampling & 15 for _, sampling in read)
        components = tuple((number, area / largest) for (number, _), area in zip(read, areas, strict=True))
        return _Frame(code, width, height, components)

    @property
    def samples(self) -> float:
        """Samples of all components for each pixel."""
        return sum(share for _, share in self.components)

    def count_samples(self, scan: bytes) -> float:
        """Return the samples that a scan reads for each pixel, by its header."""
        shares = dict(self.components)
        return sum(shares.get(number, 1.0) for number in scan[1 : 1 + 2 * scan[0] : 2]) if scan else 1.0


def parse_jpeg(data: bytes, *, max_segments: int, max_scans: int) -> ParsedImage:
    """Check the segments of a JPEG file up to its end and drop those that do not affect pixels.

    Raises:
        ImageError: ``image_corrupt``: damage, a duplicate of a part that must be unique, or too many segments, scans,
            tables, fill bytes or stray bytes.
    """
    kept_segments, exif, profile = [b"\xff\xd8"], list[bytes](), list[bytes]()
    frame: _Frame | None = None
    tables = 0
    scans_at = 0
    scan = b""
    count = 0
    for code, start, body in _iterate_header_segments(data):
        count += 1
        if count > max_segments:
            raise create_corrupt_error(f"The image has more than {max_segments} segments.")
        segment = data[start : start + 4 + len(body)]
        if code == _START_OF_SCAN:
            scans_at, scan = start, body
            break
        if code in _FRAMES:
            if frame is not None:
                raise create_corrupt_error("The image contains a part twice that may appear only once.")
            try:
                frame = _Frame.parse(code, body)
            except struct.error:
                raise create_damage_error() from None
            kept_segments.append(segment)
        elif code in _TABLES:
            tables += len(segment)
            if tables > _MAX_TABLE_BYTES:
                raise create_corrupt_error("The image has too many tables.")
            kept_segments.append(segment)
        elif (code == 0xE0 and body.startswith(b"JFIF\0")) or (code == 0xEE and body.startswith(b"Adobe")):
            kept_segments.append(segment)  # these define the meaning of the components
        elif code == 0xE1 and body.startswith(b"Exif\0\0"):
            exif.append(body[6:])
        elif code == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile.append(body)
    if frame is None or not scans_at:
        raise create_corrupt_error("The image has no scan.")  # libjpeg reads nothing after an early end
    passes = frame.count_samples(scan)
    scans, at = 1, scans_at + 4 + len(scan)
    while match := _find_next_marker(data, at):
        code = data[match.end() - 1]
        if match[1]:
            raise create_corrupt_error("The image has too many fill bytes.")
        if code == _END_OF_IMAGE:
            at = match.end()
            break
        count += 1
        length = max(2, int.from_bytes(data[match.end() : match.end() + 2], "big"))
        if code == _START_OF_SCAN:
            scans += 1
            passes += frame.count_samples(data[match.end() + 2 : match.end() + length])
        if count > max_segments:
            raise create_corrupt_error(f"The image has more than {max_segments} segments.")
        if scans > max_scans:
            raise create_corrupt_error(f"The image has more than {max_scans} scans.")
        at = match.end() + length
    else:
        at = len(data)
    kept_segments.append(data[scans_at:at])
    return ParsedImage(
        kind="JPEG",
        data=b"".join(kept_segments),
        width=frame.width,
        height=frame.height,
        channels=len(frame.components),
        passes=passes,
        buffered=frame.code in _PROGRESSIVE or scan[:1] < bytes((len(frame.components),)),
        samples=frame.samples,
        orientation=read_orientation(b"".join(exif)),
        profile=_join_profile(profile),
    )


def _find_next_marker(data: bytes, at: int) -> re.Match[bytes] | None:
    """Find the first match of ``_NEXT_MARKER`` in slices: one search of megabytes would block all other threads."""
    while at < len(data):
        match = _NEXT_MARKER.search(data, at, at + _MARKER_SLICE)
        if match is not None:
            return match
        at += _MARKER_SLICE - _MAX_FILL_BYTES  # a marker at the end of one slice is complete in the next
    return None


def _iterate_header_segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield marker, position of its 0xFF, and body of each segment up to and including the first scan's."""
    at, junk = 2, 0
    while True:
        start = data.find(b"\xff", at)
        fill = None if start < 0 else _FILL.match(data, start)
        if fill is None or fill.end() == len(data):
            raise create_corrupt_error("The image has no scan.")
        junk += start - at
        if fill.end() - start - 1 > _MAX_FILL_BYTES:
            raise create_corrupt_error("The image has too many fill bytes.")
        code, at = data[fill.end()], fill.end() + 1
        if code == 0 or code in _BARE:
            junk += at - start
        if junk > MAX_JUNK_BYTES:
            raise create_corrupt_error("The image has too many bytes between its segments.")
        if code == 0 or code in _BARE:
            continue
        if code == _END_OF_IMAGE:
            raise create_corrupt_error("The image has no scan.")
        if code != _START_OF_SCAN and code not in _FRAMES | _TABLES | _SKIPPED:
            raise create_damage_error()
        end = at + int.from_bytes(data[at : at + 2], "big")
        if end < at + 2 or end > len(data):
            raise create_damage_error()
        yield code, at - 2, data[at + 2 : end]
        at = end


def _join_profile(parts: list[bytes]) -> bytes | None:
    """Join the parts of a colour profile from several segments; None if one is missing."""
    parts.sort()
    if not parts or len(parts[0]) < 14 or parts[0][13] != len(parts):
        return None
    return reduce_profile(b"".join(part[14:] for part in parts))
