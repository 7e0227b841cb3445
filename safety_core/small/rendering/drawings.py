"""Small drawings that belong to screens and papers: icons, window frames, bar codes, silhouettes, stains."""

from random import Random

from PIL import Image, ImageDraw, ImageFilter

from safety_core.small.rendering.colours import ACCENTS, mix_colours
from safety_core.small.rendering.placing import Box, fill_box
from safety_core.small.rendering.typography.symbols import Rgb


def draw_icon(image: Image.Image, rng: Random, x: float, y: float, side: float, colour: Rgb) -> None:
    """Draw one of a few plain icons of user interfaces."""
    pen = ImageDraw.Draw(image)
    line = max(2, round(side / 9))
    middle, end = side / 2, side
    match rng.randrange(8):
        case 0:
            pen.ellipse((x, y, x + side * 0.75, y + side * 0.75), outline=colour, width=line)
            pen.line((x + side * 0.66, y + side * 0.66, x + end, y + end), fill=colour, width=line)
        case 1:
            for row in (0.2, 0.5, 0.8):
                pen.line((x, y + side * row, x + end, y + side * row), fill=colour, width=line)
        case 2:
            pen.polygon([(x + middle, y), (x + end, y + middle), (x, y + middle)], fill=colour)
            pen.rectangle((x + side * 0.16, y + middle, x + side * 0.84, y + end), fill=colour)
        case 3:
            pen.ellipse((x + side * 0.28, y, x + side * 0.72, y + side * 0.44), fill=colour)
            pen.pieslice((x + side * 0.08, y + side * 0.5, x + side * 0.92, y + side * 1.4), 180, 360, fill=colour)
        case 4:
            pen.rounded_rectangle((x, y + side * 0.15, x + end, y + side * 0.85), 2, outline=colour, width=line)
            pen.line((x, y + side * 0.2, x + middle, y + side * 0.55, x + end, y + side * 0.2), fill=colour, width=line)
        case 5:
            pen.ellipse((x, y, x + end, y + end), outline=colour, width=line)
            pen.line((x + middle, y + side * 0.2, x + middle, y + middle), fill=colour, width=line)
            pen.line((x + middle, y + middle, x + side * 0.75, y + middle), fill=colour, width=line)
        case 6:
            for part in (0.1, 0.5, 0.9):
                pen.ellipse(
                    (x + middle - line, y + side * part - line, x + middle + line, y + side * part + line), fill=colour
                )
        case _:
            pen.rounded_rectangle((x, y, x + end, y + end), side / 4, outline=colour, width=line)
            pen.line((x + middle, y + side * 0.25, x + middle, y + side * 0.75), fill=colour, width=line)
            pen.line((x + side * 0.25, y + middle, x + side * 0.75, y + middle), fill=colour, width=line)


def draw_avatar(image: Image.Image, rng: Random, x: float, y: float, side: float) -> None:
    """Draw a round picture of nobody: a silhouette on a colour."""
    scale = 3
    tile = Image.new("RGB", (round(side) * scale, round(side) * scale), rng.choice(ACCENTS))
    draw_silhouette(tile, Box(0, 0, tile.width, tile.height), (240, 240, 240))
    mask = Image.new("L", tile.size, 0)
    ImageDraw.Draw(mask).ellipse((0, 0, tile.width - 1, tile.height - 1), fill=255)
    small = (round(side), round(side))
    image.paste(tile.resize(small), (round(x), round(y)), mask.resize(small))


def draw_silhouette(image: Image.Image, box: Box, colour: Rgb) -> None:
    """Draw head and shoulders without a face."""
    pen = ImageDraw.Draw(image)
    middle = (box.left + box.right) / 2
    head = box.width * 0.2
    top = box.top + box.height * 0.16
    pen.ellipse((middle - head, top, middle + head, top + head * 2.5), fill=colour)
    shoulders = box.top + box.height * 0.66
    pen.chord(
        (middle - box.width * 0.4, shoulders, middle + box.width * 0.4, 2 * box.bottom - shoulders),
        180,
        360,
        fill=colour,
    )


def draw_portrait(image: Image.Image, rng: Random, box: Box) -> None:
    """Draw a photograph of a card: a silhouette with hair before a plain ground, never a face."""
    scale = 2
    tile = Image.new(
        "RGB",
        (round(box.width) * scale, round(box.height) * scale),
        mix_colours(rng.choice(ACCENTS), (235, 238, 242), 0.8),
    )
    whole = Box(0, 0, tile.width, tile.height)
    skin = rng.choice(((224, 188, 160), (198, 150, 116), (140, 96, 68), (96, 66, 48), (236, 206, 184)))
    hair = rng.choice(((40, 32, 28), (92, 62, 36), (170, 130, 70), (120, 118, 116), (70, 30, 20)))
    pen = ImageDraw.Draw(tile)
    middle, head = whole.width / 2, whole.width * 0.2
    top = whole.height * 0.16
    if rng.random() < 0.5:
        pen.rounded_rectangle(
            (middle - head * 1.35, top - head * 0.3, middle + head * 1.35, whole.height * 0.72), head, fill=hair
        )
    draw_silhouette(tile, whole, rng.choice(ACCENTS))
    pen.rectangle((middle - head * 0.4, top + head * 2, middle + head * 0.4, whole.height * 0.7), fill=skin)
    pen.ellipse((middle - head, top, middle + head, top + head * 2.5), fill=skin)
    pen.chord((middle - head * 1.1, top - head * 0.25, middle + head * 1.1, top + head * 1.7), 180, 360, fill=hair)
    image.paste(
        tile.resize((round(box.width), round(box.height)), Image.Resampling.LANCZOS), (round(box.left), round(box.top))
    )


def draw_bar_code(image: Image.Image, rng: Random, box: Box, colour: Rgb = (20, 20, 20)) -> None:
    """Draw a bar code that encodes nothing."""
    pen = ImageDraw.Draw(image)
    x = box.left
    while x < box.right:
        width = rng.choice((1, 1, 2, 3))
        pen.rectangle((x, box.top, min(x + width, box.right), box.bottom), fill=colour)
        x += width + rng.choice((2, 2, 3, 4))


def draw_square_code(image: Image.Image, rng: Random, box: Box, colour: Rgb = (20, 20, 20)) -> None:
    """Draw a square of cells that looks like a two-dimensional code and encodes nothing."""
    pen = ImageDraw.Draw(image)
    cells = 21
    side = box.width / cells
    for row in range(cells):
        for column in range(cells):
            if rng.random() < 0.48:
                x, y = box.left + column * side, box.top + row * side
                pen.rectangle((x, y, x + side - 0.5, y + side - 0.5), fill=colour)
    for column, row in ((0, 0), (cells - 7, 0), (0, cells - 7)):
        x, y = box.left + column * side, box.top + row * side
        pen.rectangle((x, y, x + 7 * side, y + 7 * side), fill=colour)
        pen.rectangle((x + side, y + side, x + 6 * side, y + 6 * side), fill=(250, 250, 250))
        pen.rectangle((x + 2 * side, y + 2 * side, x + 5 * side, y + 5 * side), fill=colour)


def draw_chip(image: Image.Image, box: Box) -> None:
    """Draw the chip of a bank card."""
    gold, edge = (214, 178, 92), (130, 100, 40)
    fill_box(image, box, gold, box.height / 6, edge)
    pen = ImageDraw.Draw(image)
    for share in (0.35, 0.65):
        y, x = box.top + box.height * share, box.left + box.width * share
        pen.line((box.left, y, box.right, y), fill=edge, width=2)
        pen.line((x, box.top, x, box.bottom), fill=edge, width=2)


def draw_signature(image: Image.Image, rng: Random, box: Box, colour: Rgb = (30, 40, 110)) -> None:
    """Draw a scribble that spells nothing."""
    points = []
    steps = 26
    for step in range(steps):
        x = box.left + box.width * step / steps + rng.uniform(-0.04, 0.06) * box.width
        y = (box.top + box.bottom) / 2 + (rng.uniform(0.1, 0.5) * box.height) * (-1) ** step * (
            0.4 + 0.6 * (step % 5 == 0)
        )
        points.append((x, y))
    ImageDraw.Draw(image).line(points, fill=colour, width=2, joint="curve")


def draw_window(image: Image.Image, rng: Random, box: Box, *, bar: Rgb, page: Rgb) -> Box:
    """Draw the frame of a window, and return the box of what it shows."""
    fill_box(image, box, page, 8, mix_colours(bar, (0, 0, 0), 0.3))
    high = 34
    fill_box(image, Box(box.left, box.top, box.right, box.top + high), bar, 8)
    fill_box(image, Box(box.left, box.top + high - 10, box.right, box.top + high), bar)
    pen = ImageDraw.Draw(image)
    middle = box.top + high / 2
    if rng.random() < 0.5:
        for number, colour in enumerate(((236, 96, 88), (244, 190, 70), (98, 200, 90))):
            x = box.left + 18 + number * 20
            pen.ellipse((x - 6, middle - 6, x + 6, middle + 6), fill=colour)
    else:
        ink = mix_colours(bar, (20, 20, 20) if sum(bar) > 380 else (240, 240, 240), 0.7)
        for number in range(3):
            x = box.right - 22 - number * 32
            if number == 0:
                pen.line((x - 5, middle - 5, x + 5, middle + 5), fill=ink, width=2)
                pen.line((x - 5, middle + 5, x + 5, middle - 5), fill=ink, width=2)
            elif number == 1:
                pen.rectangle((x - 5, middle - 5, x + 5, middle + 5), outline=ink, width=2)
            else:
                pen.line((x - 5, middle, x + 5, middle), fill=ink, width=2)
    return Box(box.left + 2, box.top + high, box.right - 2, box.bottom - 2)


def draw_blank_lines(image: Image.Image, rng: Random, box: Box, colour: Rgb, pitch: float) -> None:
    """Draw grey bars that stand for text which is too small or not loaded."""
    y = box.top
    while y + pitch * 0.5 < box.bottom:
        width = box.width * rng.uniform(0.5, 1.0)
        fill_box(image, Box(box.left, y, box.left + width, y + pitch * 0.42), colour, pitch * 0.2)
        y += pitch


def stain_sheet(image: Image.Image, rng: Random) -> None:
    """Leave the ring of a cup or a fold on a sheet of paper."""
    layer = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(layer)
    width, height = image.size
    if rng.random() < 0.5:
        x, y, radius = (
            rng.uniform(0.5, 1) * width,
            rng.uniform(0.5, 1) * height,
            min(image.size) * rng.uniform(0.12, 0.2),
        )
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=60, width=max(3, round(radius / 12)))
    else:
        at = rng.uniform(0.3, 0.7)
        pen.line((0, height * at, width, height * at), fill=50, width=3)
        if rng.random() < 0.5:
            pen.line((width * 0.5, 0, width * 0.5, height), fill=40, width=3)
    image.paste(Image.new("RGB", image.size, (96, 66, 40)), (0, 0), layer.filter(ImageFilter.GaussianBlur(1.5)))
