"""Makes a drawn sheet look photographed, scanned or captured: mounting in perspective, blur, noise, JPEG.

Every step is weak enough for lettering of the smallest size to stay legible. Knows no lettering.
"""

import math
from io import BytesIO
from random import Random
from typing import Literal

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from safety_core.small.rendering.grounds import SHORTEST, add_noise, paint_noise

Finish = Literal["screen", "scan", "photo", "none"]
"""How the picture came about; ``screen`` and ``none`` keep sharp edges."""

Point = tuple[float, float]


def mount_sheet(
    rng: Random, sheet: Image.Image, ground: Image.Image, *, tilt: float = 3.0, bend: float = 0.03, shade: bool = True
) -> Image.Image:
    """Put a sheet onto the middle of a ground, seen at a slight angle.

    Args:
        rng: source of chance.
        sheet: RGB, or RGBA where parts of it are cut out; smaller than the ground.
        ground: RGB.
        tilt: largest rotation in degrees.
        bend: largest shift of a corner as a share of the sheet's sides.
        shade: whether the sheet throws a shadow.
    """
    width, height = sheet.size
    angle = math.radians(rng.uniform(-tilt, tilt))
    cos, sin = math.cos(angle), math.sin(angle)
    free = (ground.width - width) / 2, (ground.height - height) / 2
    middle = (
        ground.width / 2 + rng.uniform(-0.4, 0.4) * max(0.0, free[0]),
        ground.height / 2 + rng.uniform(-0.4, 0.4) * max(0.0, free[1]),
    )
    corners: list[Point] = []
    for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        px = (x + rng.uniform(-bend, bend)) * width
        py = (y + rng.uniform(-bend, bend)) * height
        corners.append((middle[0] + px * cos - py * sin, middle[1] + px * sin + py * cos))
    corners = _move_inside(corners, ground.size)
    coefficients = _solve_perspective(corners, ((0, 0), (width, 0), (width, height), (0, height)))
    layer = sheet.convert("RGBA").transform(
        ground.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC
    )
    result = ground.convert("RGB")
    if shade:
        shadow = layer.getchannel("A").filter(ImageFilter.GaussianBlur(max(3, width // 60)))
        offset = max(2, width // 90)
        dark = Image.new("RGB", ground.size, (0, 0, 0))
        result.paste(dark, (offset, offset), shadow.point([round(value * 0.4) for value in range(256)]))
    result.paste(layer, (0, 0), layer)
    return result


def _move_inside(corners: list[Point], size: tuple[int, int]) -> list[Point]:
    """Shrink and move a quadrangle so that it lies inside a picture."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    scale = min(1.0, (size[0] - 4) / (max(xs) - min(xs)), (size[1] - 4) / (max(ys) - min(ys)))
    corners = [(min(xs) + (x - min(xs)) * scale, min(ys) + (y - min(ys)) * scale) for x, y in corners]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    dx = max(2 - min(xs), 0) + min(size[0] - 2 - max(xs), 0)
    dy = max(2 - min(ys), 0) + min(size[1] - 2 - max(ys), 0)
    return [(x + dx, y + dy) for x, y in corners]


def _solve_perspective(targets: list[Point], sources: tuple[Point, ...]) -> tuple[float, ...]:
    """Coefficients of Pillow's transform, which maps each target point to its source point."""
    rows, values = [], []
    for (x, y), (u, v) in zip(targets, sources, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solved = np.linalg.solve(np.array(rows, dtype=np.float64), np.array(values, dtype=np.float64))
    return tuple(float(value) for value in solved)


def finish_picture(rng: Random, image: Image.Image, finish: Finish) -> Image.Image:
    """Add the traces of a camera, a scanner or a capture."""
    if finish == "photo":
        image = _light_unevenly(rng, image)
        if rng.random() < 0.5:
            image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.7)))
        image = add_noise(image, paint_noise(rng, image.size, (1, 1)), rng.uniform(0.5, 6))
    elif finish == "scan":
        if rng.random() < 0.3:
            image = image.convert("L").convert("RGB")
        image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.9, 1.25))
        image = add_noise(image, paint_noise(rng, image.size, (1, 1)), rng.uniform(0, 4))
    return image if rng.random() < 0.2 else compress_jpeg(image, rng.randint(45, 95))


def reduce_picture(rng: Random, image: Image.Image, least: float) -> Image.Image:
    """Make a picture smaller, to at least ``least`` of its size and the shortest side that is allowed."""
    lowest = max(least, SHORTEST / min(image.size))
    if lowest >= 1:
        return image
    scale = rng.uniform(lowest, 1)
    size = max(SHORTEST, round(image.width * scale)), max(SHORTEST, round(image.height * scale))
    return image.resize(size, rng.choice((Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BOX)))


def _light_unevenly(rng: Random, image: Image.Image) -> Image.Image:
    """Let light fall from one side, and change its strength and colour."""
    width, height = image.size
    angle = rng.uniform(0, 2 * math.pi)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    slope = (math.cos(angle) * x + math.sin(angle) * y) * rng.uniform(0, 0.14)
    tint = 1 + np.array([rng.uniform(-0.05, 0.05) for _ in range(3)])
    values = np.asarray(image, dtype=np.float32) * ((1 + slope)[..., None] * tint * rng.uniform(0.85, 1.08))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def compress_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Compress a picture and open it again."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")
