"""Bounds on untrusted images."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """Bounds on one untrusted image."""

    max_bytes: int = 10 * 1024 * 1024
    """Bytes of the encoded file."""

    max_pixels: int = 25_000_000
    """Width × height as the header declares them; decoding needs up to 4 bytes for each."""

    max_aspect: float = 20.0
    """Longer side over shorter side; beyond it, padding would leave the model next to nothing of the image."""

    max_side: int = 1344
    """Longest side of a view in pixels (four times CLIP's 336; a server sets the size of its image processor's
    output). Larger images are reduced with an antialiasing filter, so a view takes at most 4·max_side² bytes
    whatever the image's shape."""

    min_side: int = 32
    """Longest side of a view, at least. Smaller images are enlarged: image processors cannot distinguish the axes of
    an image of one or three pixels."""

    max_scans: int = 64
    """Scans of a progressive JPEG (encoders write about ten). Each costs a pass over all pixels."""

    max_segments: int = 4096
    """Segments of a JPEG (cameras write tens, or hundreds with long metadata), chunks of a PNG or WebP. An empty one
    has four bytes, or twelve, and costs a parser in Python a thousand times as much. A GIF may have as many blocks, and
    one more for every hundred of its bytes (encoders fill each with 255)."""

    def clamp_side(self, longest: int) -> int:
        """Return the longest side of a view of an image whose longest side is given."""
        return min(max(longest, self.min_side), self.max_side)
