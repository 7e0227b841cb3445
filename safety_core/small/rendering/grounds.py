"""Paints what lettering stands on: flat colours, gradients, paper, boards, walls, wood, and made-up photographs.

Pictures are RGB; sizes are (width, height) in pixels. Knows no lettering.
"""

from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from safety_core.small.rendering.colours import ACCENTS, BRIGHT, DARK, mix_colours
from safety_core.small.rendering.typography.symbols import Rgb

Size = tuple[int, int]

SHORTEST, LONGEST = 224, 1280
"""Bounds of a picture's sides in pixels."""


def _create_generator(rng: Random) -> np.random.Generator:
    """Create numpy's generator from ours."""
    return np.random.default_rng(rng.getrandbits(64))


def paint_flat(size: Size, colour: Rgb) -> Image.Image:
    """Paint one colour."""
    return Image.new("RGB", size, colour)


def paint_gradient(size: Size, first: Rgb, second: Rgb, *, upright: bool = True) -> Image.Image:
    """Paint a gradient from top to bottom, or from left to right."""
    ramp = Image.linear_gradient("L")
    if not upright:
        ramp = ramp.transpose(Image.Transpose.ROTATE_90)
    return Image.composite(paint_flat(size, second), paint_flat(size, first), ramp.resize(size))


def paint_noise(rng: Random, size: Size, cell: tuple[float, float]) -> NDArray[np.float32]:
    """Compute smooth noise of mean 0 and deviation about 1; ``cell`` is the size of its spots in pixels."""
    width, height = size
    coarse = (max(2, round(width / cell[0])), max(2, round(height / cell[1])))
    values = _create_generator(rng).normal(0, 1, (coarse[1], coarse[0])).astype(np.float32)
    spots = Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(spots, dtype=np.float32)


def add_noise(image: Image.Image, noise: NDArray[np.float32], strength: float) -> Image.Image:
    """Add the same noise to all channels."""
    values = np.asarray(image, dtype=np.float32) + noise[..., None] * strength
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def paint_paper(rng: Random, size: Size, colour: Rgb) -> Image.Image:
    """Paint paper: stains and grain."""
    noise = paint_noise(rng, size, (90, 90)) * rng.uniform(0.5, 2.5) + paint_noise(rng, size, (2, 2)) * rng.uniform(
        1, 3
    )
    return add_noise(paint_flat(size, colour), noise, 1.0)


def rule_paper(
    paper: Image.Image, rng: Random, pitch: int, *, squared: bool = False, margin: bool = True, top: int = 0
) -> None:
    """Draw the lines of ruled or squared paper; ``pitch`` is their distance and ``top`` the first one."""
    pen = ImageDraw.Draw(paper)
    blue = rng.choice(((170, 196, 226), (186, 202, 214), (198, 198, 204)))
    for y in range(top or pitch, paper.height, pitch):
        pen.line((0, y, paper.width, y), fill=blue)
    if squared:
        for x in range(pitch, paper.width, pitch):
            pen.line((x, 0, x, paper.height), fill=blue)
    elif margin:
        x = round(paper.width * 0.09)
        pen.line((x, 0, x, paper.height), fill=(230, 150, 150), width=2)


def paint_wood(rng: Random, size: Size) -> Image.Image:
    """Paint planks of wood."""
    colour = rng.choice(((150, 104, 62), (112, 74, 44), (186, 146, 98), (92, 70, 56), (204, 178, 138)))
    lying = rng.random() < 0.6
    cell = (240.0, 3.0) if lying else (3.0, 240.0)
    image = add_noise(paint_flat(size, colour), paint_noise(rng, size, cell), 10)
    pen = ImageDraw.Draw(image)
    length = size[1] if lying else size[0]
    step = max(40, length // rng.randint(3, 6))
    for at in range(step, length, step):
        pen.line(
            (0, at, size[0], at) if lying else (at, 0, at, size[1]), fill=mix_colours(colour, (0, 0, 0), 0.55), width=3
        )
    return image


def paint_wall(rng: Random, size: Size) -> Image.Image:
    """Paint a plastered wall or one of bricks."""
    colour = rng.choice(
        ((176, 170, 160), (206, 200, 188), (150, 96, 78), (168, 110, 90), (120, 126, 130), (222, 216, 204))
    )
    image = add_noise(paint_flat(size, colour), paint_noise(rng, size, (30, 30)) + paint_noise(rng, size, (2, 2)), 6)
    if rng.random() < 0.5:
        pen = ImageDraw.Draw(image)
        joint = mix_colours(colour, (235, 230, 220), 0.55)
        high = max(16, size[1] // rng.randint(10, 18))
        wide = round(high * 2.6)
        for row, y in enumerate(range(0, size[1], high)):
            pen.line((0, y, size[0], y), fill=joint, width=3)
            for x in range((row % 2) * wide // 2, size[0], wide):
                pen.line((x, y, x, y + high), fill=joint, width=3)
    return image


def paint_board(rng: Random, size: Size, *, chalk: bool) -> Image.Image:
    """Paint a blackboard with traces of chalk, or a whiteboard."""
    if chalk:
        colour = rng.choice(((38, 62, 50), (34, 38, 40), (26, 50, 60)))
        return add_noise(paint_flat(size, colour), paint_noise(rng, size, (120, 14)), 5)
    return add_noise(paint_flat(size, (240, 242, 243)), paint_noise(rng, size, (160, 160)), 4)


def paint_cloth(rng: Random, size: Size, colour: Rgb) -> Image.Image:
    """Paint cloth with soft folds."""
    folds = paint_noise(rng, size, (size[0] / 5, size[1] / 2)) * 9 + paint_noise(rng, size, (2, 2)) * 2.5
    return add_noise(paint_flat(size, colour), folds, 1.0)


def paint_scene(rng: Random, size: Size) -> Image.Image:
    """Paint a made-up photograph out of focus: sky and ground, or a room, with some things in it."""
    sky = rng.choice(((150, 190, 226), (212, 206, 196), (92, 110, 140), (238, 190, 140), (60, 62, 76)))
    ground = rng.choice(((86, 120, 66), (130, 116, 96), (104, 106, 108), (176, 150, 110), (58, 70, 92)))
    horizon = rng.uniform(0.35, 0.75)
    image = paint_gradient(size, sky, mix_colours(sky, (255, 255, 255), 0.3))
    pen = ImageDraw.Draw(image)
    width, height = size
    for _ in range(rng.randint(3, 9)):
        x, wide = rng.uniform(-0.1, 1) * width, rng.uniform(0.08, 0.35) * width
        top = (horizon - rng.uniform(0.05, 0.4)) * height
        colour = mix_colours(rng.choice((*DARK, *ACCENTS)), sky, rng.uniform(0.2, 0.6))
        if rng.random() < 0.5:
            pen.rectangle((x, top, x + wide, horizon * height), fill=colour)
        else:
            pen.ellipse((x, top, x + wide, horizon * height + wide * 0.2), fill=colour)
    pen.rectangle((0, horizon * height, width, height), fill=ground)
    for _ in range(rng.randint(2, 6)):
        x, y, wide = rng.uniform(0, 1) * width, rng.uniform(horizon, 1) * height, rng.uniform(0.04, 0.2) * width
        colour = mix_colours(rng.choice((*BRIGHT, *ACCENTS)), ground, rng.uniform(0.2, 0.7))
        pen.ellipse((x - wide, y - wide * 0.5, x + wide, y + wide * 0.5), fill=colour)
    image = image.filter(ImageFilter.GaussianBlur(max(2.0, width / rng.uniform(50, 160))))
    return add_noise(image, paint_noise(rng, size, (1.5, 1.5)) + paint_noise(rng, size, (60, 60)), 4)


def cover_photograph(rng: Random, photograph: Image.Image, size: Size) -> Image.Image:
    """Cut a photograph so that it fills a size; at random mirrored or moved."""
    width, height = size
    scale = max(width / photograph.width, height / photograph.height) * rng.uniform(1.0, 1.15)
    grown = photograph.convert("RGB").resize(
        (max(width, round(photograph.width * scale)), max(height, round(photograph.height * scale))),
        Image.Resampling.BICUBIC,
    )
    left, top = rng.randint(0, grown.width - width), rng.randint(0, grown.height - height)
    cut = grown.crop((left, top, left + width, top + height))
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.3 else cut


def measure_brightness(image: Image.Image, box: tuple[int, int, int, int]) -> tuple[float, float]:
    """Mean and deviation of the brightness, 0 to 255, in a part of a picture."""
    values = np.asarray(image.crop(box).convert("L"), dtype=np.float32)
    return float(values.mean()), float(values.std())
