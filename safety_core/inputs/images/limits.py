"""Limits on untrusted images."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """Limits on one untrusted image."""

    max_bytes: int = 10 * 1024 * 1024
    """Bytes of the encoded file."""

    max_pixels: int = 25_000_000
    """Width × height as declared by the header; decoding needs up to 4 bytes per pixel."""

    max_aspect: float = 20.0
    """Longer side divided by shorter side. More extreme images would consist almost entirely of padding."""

    max_side: int = 1344
    """Longest side of a view in pixels (four times CLIP's 336; a server sets the size of its image processor's
    output). Larger images are reduced with an antialiasing filter, so a view takes at most 4·max_side² bytes
    whatever the image's shape."""

    min_side: int = 32
    """Minimum longest side of a view. Smaller images are enlarged: image processors cannot distinguish the axes of an
    image of one or three pixels."""

    max_scans: int = 64
    """Scans of a progressive JPEG (encoders write about ten). Each costs a pass over all pixels."""

    max_segments: int = 4096
    """Segments of a JPEG (cameras write tens, or hundreds with long metadata), chunks of a PNG or WebP. An empty one
    has only 4 or 12 bytes, but costs a parser in Python as much as thousands of bytes. A GIF may have as many blocks,
    and one more per hundred bytes (encoders fill blocks with 255 bytes)."""

    def clamp_side(self, longest: int) -> int:
        """Return the longest side of a view for the longest side of its image."""
        return min(max(longest, self.min_side), self.max_side)
