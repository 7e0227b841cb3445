"""Draws scenes as pixels. Knows nothing of risk or questions."""

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from safety_core.nano.world.lettering import draw_lettering
from safety_core.nano.world.scene import (
    BACKGROUNDS,
    COLOURS,
    SIDE,
    PlacedItem,
    Scene,
    compute_item_box,
    compute_luminance,
)
from safety_core.nano.world.sprites import crop_sprite
from safety_core.nano.world.things import get_sprite_index


@cache
def _create_grain() -> npt.NDArray[np.float32]:
    """Create a tile of sensor noise; each scene uses a shifted window of it, which is faster than new noise."""
    return np.random.default_rng(0).normal(0.0, 2.0, (2 * SIDE, 2 * SIDE, 3)).astype(np.float32)


@cache
def _create_mesh() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return y, x


def _draw_ground(scene: Scene) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(scene.seed)
    base = np.array(BACKGROUNDS[scene.background], dtype=np.float32)
    shade = base * 0.88 if compute_luminance(BACKGROUNDS[scene.background]) > 100 else base + 26.0
    y, x = _create_mesh()
    period = float(rng.uniform(9, 24))
    match scene.pattern:
        case "plain":
            mix = np.zeros((SIDE, SIDE), dtype=np.float32)
        case "gradient":
            angle = rng.uniform(0, 2 * np.pi)
            ramp = np.cos(angle) * x + np.sin(angle) * y
            mix = (ramp - ramp.min()) / (ramp.max() - ramp.min())
        case "stripes":
            angle = rng.choice([0.0, 0.5, 0.25, 0.75]) * np.pi
            mix = ((np.cos(angle) * x + np.sin(angle) * y) % period < period / 2).astype(np.float32)
        case "dots":
            mix = ((x % period - period / 2) ** 2 + (y % period - period / 2) ** 2 < (period / 4) ** 2).astype(
                np.float32
            )
        case "noise":
            mix = rng.random((SIDE, SIDE)).astype(np.float32)
        case "rings":
            mix = (np.hypot(x - SIDE / 2, y - SIDE / 2) % period < period / 2).astype(np.float32)
        case "grid":
            mix = ((x % period < period / 5) | (y % period < period / 5)).astype(np.float32)
        case "checker":
            mix = ((x // period + y // period) % 2).astype(np.float32)
        case "waves":
            mix = (np.sin(x / period * 2 + np.sin(y / period) * 2) > 0).astype(np.float32)
        case _:
            raise ValueError(f"unknown background pattern {scene.pattern!r}")
    ground: npt.NDArray[np.float32] = base + (shade - base) * mix[..., None]
    row, column = rng.integers(0, SIDE, 2)
    return ground + _create_grain()[row : row + SIDE, column : column + SIDE]


_STAR = tuple(
    (0.5 + r * np.sin(k * np.pi / 5), 0.52 - r * np.cos(k * np.pi / 5)) for k in range(10) for r in ((0.5, 0.2)[k % 2],)
)
_ANGLES = np.linspace(0, 2 * np.pi, 40)
_HEART = tuple(
    zip(
        0.5 + 0.03 * 16 * np.sin(_ANGLES) ** 3,
        0.47 - 0.03 * (13 * np.cos(_ANGLES) - 5 * np.cos(2 * _ANGLES) - 2 * np.cos(3 * _ANGLES) - np.cos(4 * _ANGLES)),
        strict=True,
    )
)


def _draw_shape(canvas: Image.Image, item: PlacedItem) -> None:
    left, top, right, bottom = compute_item_box(item)
    rgb = COLOURS[item.colour or "black"]
    pen = ImageDraw.Draw(canvas)
    if item.name == "circle":
        pen.ellipse((left, top, right, bottom), fill=rgb)
    elif item.name == "square":
        pen.rectangle((left + 2, top + 2, right - 2, bottom - 2), fill=rgb)
    else:
        outline = {"triangle": ((0.5, 0.04), (0.98, 0.94), (0.02, 0.94)), "star": _STAR, "heart": _HEART}[item.name]
        pen.polygon([(left + x * item.size, top + y * item.size) for x, y in outline], fill=rgb)


def draw(scene: Scene) -> Image.Image:
    """Draw a scene as an RGB picture of SIDE x SIDE pixels."""
    canvas = Image.fromarray(np.clip(_draw_ground(scene), 0, 255).astype(np.uint8))
    if scene.card:
        pen = ImageDraw.Draw(canvas)
        pen.rounded_rectangle(
            (3, 3, SIDE - 4, SIDE - 4), radius=9, fill=(232, 236, 244), outline=(40, 80, 150), width=2
        )
        pen.rectangle((4, 9, SIDE - 5, 13), fill=(40, 80, 150))
    for item in scene.items:
        if item.colour is not None:
            _draw_shape(canvas, item)
        else:
            picture = crop_sprite(get_sprite_index(item.name)).resize((item.size, item.size), Image.Resampling.BILINEAR)
            canvas.paste(picture, compute_item_box(item)[:2], picture)
    if scene.lettering is not None:
        draw_lettering(canvas, scene.lettering)
    return canvas
