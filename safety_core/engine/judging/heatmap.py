"""Renders the head's attention as an overlay for the client's image."""

import base64
from io import BytesIO

from PIL import Image

Heatmap = tuple[tuple[float, ...], ...]

_COLOUR = (255, 32, 0)
_LONG_SIDE = 224


def render_heatmap_url(grid: Heatmap, *, width: int, height: int) -> str:
    """Render a red overlay, more opaque with more attention, in the image's aspect ratio; returns a PNG data URL.

    Args:
        grid: attention over the padded square as rows of non-negative numbers.
        width: width of the client's image in pixels; the padding is cropped to it.
        height: height of the client's image in pixels.
    """
    peak = max(max(row) for row in grid) or 1.0
    levels = bytes(round(255 * value / peak) for row in grid for value in row)
    alpha = Image.frombytes("L", (len(grid[0]), len(grid)), levels)
    longest = max(width, height)
    across, down = (max(1, round(_LONG_SIDE * side / longest)) for side in (width, height))
    left, top = (_LONG_SIDE - across) // 2, (_LONG_SIDE - down) // 2
    alpha = alpha.resize((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BICUBIC).crop(
        (left, top, left + across, top + down)
    )
    overlay = Image.new("RGBA", alpha.size, (*_COLOUR, 0))
    overlay.putalpha(alpha)
    buffer = BytesIO()
    overlay.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
