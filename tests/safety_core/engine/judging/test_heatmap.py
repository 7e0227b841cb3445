"""Heatmaps lie over the client's picture: its shape, and opaque where the head looked."""

import base64
from io import BytesIO

import pytest
from PIL import Image

from safety_core.engine.judging.heatmap import render_heatmap_url

CORNER = ((1.0, 0.0, 0.0, 0.0), *[(0.0,) * 4] * 3)


def render(grid: tuple[tuple[float, ...], ...], width: int, height: int) -> Image.Image:
    kind, _, data = render_heatmap_url(grid, width=width, height=height).partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(100, 100, (224, 224)), (200, 100, (224, 112)), (30, 3000, (2, 224)), (9999, 1, (224, 1)), (1, 1, (224, 224))],
)
def test_an_overlay_has_the_shape_of_the_picture(width: int, height: int, size: tuple[int, int]) -> None:
    overlay = render(CORNER, width, height)
    assert (overlay.size, overlay.mode) == (size, "RGBA")


def test_the_overlay_is_most_opaque_where_the_attention_is() -> None:
    overlay = render(CORNER, 100, 100)
    alpha = overlay.getchannel("A")
    assert alpha.getpixel((20, 20)) == 255
    assert alpha.getpixel((200, 200)) == 0
    assert overlay.convert("RGB").getcolors() == [(224 * 224, (255, 32, 0))]


def test_attention_counts_by_its_share_of_the_largest() -> None:
    faint = tuple(tuple(value / 1000 for value in row) for row in CORNER)
    assert render(faint, 50, 50).tobytes() == render(CORNER, 50, 50).tobytes()


def test_the_padding_of_the_square_is_cut_off() -> None:
    bands = ((1.0,) * 4, (0.0,) * 4, (0.0,) * 4, (1.0,) * 4)  # only in what pads a wide picture
    assert max(render(bands, 400, 100).getchannel("A").tobytes()) < 128


def test_attention_to_nothing_is_transparent() -> None:
    assert render(((0.0, 0.0), (0.0, 0.0)), 10, 10).getchannel("A").getcolors() == [(224 * 224, 0)]
