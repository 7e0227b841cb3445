"""Layouts of lettering over any photograph, and of plain lettering on an even ground."""

import math
from dataclasses import replace

from PIL import Image, ImageFilter

from safety_core.small.rendering.colours import (
    BLACK,
    BRIGHT,
    CREAMS,
    INKS,
    WHITE,
    mix_colours,
    pick_ground,
    pick_ink,
)
from safety_core.small.rendering.grounds import measure_brightness, paint_flat, paint_gradient, paint_paper
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.placing import Box, fill_box, frame_sheet, place_block, place_text
from safety_core.small.rendering.typography.symbols import Rgb
from safety_core.small.rendering.typography.typesetting import Align, Style

OVERLAY_SHAPES = (1.0, 1.33, 0.75, 1.5)


def _outline(style: Style, width: float, colour: Rgb) -> Style:
    """Give a style an outline."""
    return replace(style, outline=width, outline_colour=colour)


def draw_edge_overlay(job: Job) -> Image.Image:
    """Draw lettering at the top or the bottom of a photograph, outlined or with a shadow."""
    rng = job.rng
    size = job.choose_size(*OVERLAY_SHAPES, low=336, high=760)
    sheet = job.paint_photograph(size)
    bright = rng.random() < 0.7
    ink = rng.choice((WHITE, WHITE, (255, 235, 90))) if bright else rng.choice((BLACK, (120, 10, 20)))
    style = job.choose_style(
        "sans", "condensed", "rounded", "slab", colour=ink, align=rng.choice(("left", "centre")),
        capitals=rng.random() < 0.25, balanced=True,
    )  # fmt: skip
    style = _outline(style, rng.uniform(0.06, 0.1), BLACK if bright else WHITE)
    box = frame_sheet(sheet, 0.05)
    upper = rng.random() < 0.5
    room = box._replace(bottom=size[1] * 0.7) if upper else box._replace(top=size[1] * 0.3)
    place_text(
        job,
        sheet,
        job.text,
        style,
        room,
        largest=size[1] * rng.uniform(0.06, 0.12),
        upright="top" if upper else "bottom",
    )
    return sheet


def draw_band_overlay(job: Job) -> Image.Image:
    """Draw lettering in a band or box of colour, often translucent, over a photograph."""
    rng = job.rng
    size = job.choose_size(*OVERLAY_SHAPES, low=336, high=760)
    sheet = job.paint_photograph(size)
    ground = rng.choice((BLACK, WHITE, pick_ground(rng)))
    ink = pick_ink(rng, ground, least=7)
    align: Align = rng.choice(("left", "centre"))
    style = job.choose_style("sans", "condensed", "serif", "rounded", "mono", colour=ink, align=align)
    margin = size[0] * 0.05
    block = job.fit(job.text, style, size[0] - 2 * margin, size[1] * 0.75, largest=size[1] * rng.uniform(0.06, 0.11))
    pad = block.px * 0.6
    high = block.height + 2 * pad
    top = rng.choice((0, size[1] - high, (size[1] - high) * rng.uniform(0.2, 0.8)))
    narrow = rng.random() < 0.4
    left = (size[0] - block.width) / 2 - pad if narrow else 0.0
    band = Box(max(0.0, left), top, min(size[0], size[0] - left), top + high)
    layer = sheet.copy()
    fill_box(layer, band, ground, rng.choice((0, 14)))
    sheet = Image.blend(sheet, layer, rng.choice((1.0, 1.0, 0.85, 0.7)) if ground in (BLACK, WHITE) else 0.95)
    inner = (
        Box(band.left + pad, band.top + pad, band.right - pad, band.bottom)
        if narrow
        else Box(margin, top + pad, size[0] - margin, top + high)
    )
    place_block(sheet, block, inner)
    return sheet


def draw_centre_overlay(job: Job) -> Image.Image:
    """Draw large lettering in the middle of a photograph that is darkened, brightened or blurred."""
    rng = job.rng
    size = job.choose_size(*OVERLAY_SHAPES, low=336, high=760)
    sheet = job.paint_photograph(size)
    if rng.random() < 0.5:
        sheet = sheet.filter(ImageFilter.GaussianBlur(max(size) / 160))
    dark = rng.random() < 0.65
    sheet = Image.blend(sheet, paint_flat(size, BLACK if dark else WHITE), rng.uniform(0.4, 0.6))
    ink = rng.choice((WHITE, (255, 236, 150))) if dark else rng.choice((BLACK, (20, 30, 90)))
    style = job.choose_style(
        "sans", "serif", "script", "display", "rounded", "slab", colour=ink, align="centre", balanced=True
    )
    if dark:
        style = _outline(style, 0.03, BLACK)
    place_text(
        job,
        sheet,
        job.text,
        style,
        frame_sheet(sheet, 0.08),
        largest=size[1] * rng.uniform(0.08, 0.16),
        upright="middle",
    )
    return sheet


def draw_faint_overlay(job: Job) -> Image.Image:
    """Draw lettering of low contrast, yet legible, on the calmest part of a photograph."""
    rng = job.rng
    size = job.choose_size(*OVERLAY_SHAPES, low=384, high=760)
    sheet = job.paint_photograph(size)
    style = job.choose_style("sans", "rounded", "condensed", align=rng.choice(("left", "centre")), balanced=True)
    block = job.fit(job.text, style, size[0] * 0.9, size[1] * 0.7, largest=size[1] * rng.uniform(0.07, 0.11))
    places = [Box(size[0] * 0.05, y, size[0] * 0.95, y + block.height) for y in _list_tops(size[1], block.height)]
    box = min(places, key=lambda place: measure_brightness(sheet, _round_box(place))[1])
    mean, spread = measure_brightness(sheet, _round_box(box))
    if spread > 28:
        part = sheet.crop(_round_box(box)).filter(ImageFilter.GaussianBlur(12))
        sheet.paste(Image.blend(part, paint_flat(part.size, (round(mean),) * 3), 0.45), _round_box(box)[:2])
    step = rng.uniform(88, 120)
    level = round(mean + step if mean < 140 else mean - step)
    tone = rng.choice(((1.0, 1.0, 1.0), (1.0, 0.95, 0.85), (0.88, 0.95, 1.0)))
    red, green, blue = (min(255, max(0, round(level * share))) for share in tone)
    ink: Rgb = (red, green, blue)
    place_block(sheet, replace(block, style=replace(style, colour=ink)), box)
    return sheet


def _list_tops(height: int, block: float) -> list[float]:
    """Places for a block from top to bottom."""
    room = height - block
    return [room * share for share in (0.04, 0.25, 0.5, 0.75, 0.96)]


def _round_box(box: Box) -> tuple[int, int, int, int]:
    """Whole pixels of a box."""
    return int(box.left), int(box.top), math.ceil(box.right), math.ceil(box.bottom)


def draw_tilted_overlay(job: Job) -> Image.Image:
    """Draw lettering that is turned by up to 8 degrees over a photograph."""
    rng = job.rng
    size = job.choose_size(*OVERLAY_SHAPES, low=384, high=760)
    sheet = job.paint_photograph(size)
    angle = rng.choice((-1, 1)) * rng.uniform(1.5, 8)
    swing = math.sin(math.radians(abs(angle)))
    bright = rng.random() < 0.7
    style = job.choose_style(
        "sans", "display", "hand", "slab", "condensed", colour=WHITE if bright else BLACK, align="centre", balanced=True
    )
    style = _outline(style, 0.07, BLACK if bright else WHITE)
    width = size[0] * 0.9 - size[1] * swing * 0.5
    block = job.fit(job.text, style, width, size[1] * 0.8 - width * swing, largest=size[1] * rng.uniform(0.07, 0.13))
    pad = round(block.px * 0.4)
    wide, high = math.ceil(block.width) + 2 * pad, block.height + 2 * pad
    tile = Image.new("RGB", (wide, high), style.outline_colour)
    if rng.random() < 0.45:
        ground = pick_ground(rng)
        tile = paint_flat((wide, high), ground)
        style = replace(style, colour=pick_ink(rng, ground, least=6), outline=0.0)
        mask = Image.new("L", (wide, high), 255)
        place_text(
            job, tile, job.text, style, Box(0, 0, wide, high).shrink(pad / 2), largest=block.px, upright="middle"
        )
    else:
        mask = _draw_mask(block.px, wide, high, job, style, pad)
        place_text(
            job, tile, job.text, style, Box(0, 0, wide, high).shrink(pad / 2), largest=block.px, upright="middle"
        )
    turned, turned_mask = (part.rotate(angle, resample=Image.Resampling.BICUBIC, expand=True) for part in (tile, mask))
    free = max(0, size[0] - turned.width), max(0, size[1] - turned.height)
    sheet.paste(turned, (round(free[0] * rng.uniform(0.2, 0.8)), round(free[1] * rng.uniform(0.1, 0.9))), turned_mask)
    return sheet


def _draw_mask(px: int, wide: int, high: int, job: Job, style: Style, pad: float) -> Image.Image:
    """Mask of lettering and its outline."""
    mask = Image.new("RGB", (wide, high), BLACK)
    white = replace(style, colour=WHITE, outline_colour=WHITE)
    place_text(job, mask, job.text, white, Box(0, 0, wide, high).shrink(pad / 2), largest=px, upright="middle")
    return mask.convert("L")


def draw_note_overlay(job: Job) -> Image.Image:
    """Draw lettering on a note stuck onto a photograph; reserved for tests."""
    rng = job.rng
    size = job.choose_size(*OVERLAY_SHAPES, low=400, high=800)
    sheet = job.paint_photograph(size)
    style = job.choose_style("hand", "sans", "rounded", colour=rng.choice(INKS), align="left")
    block = job.fit(job.text, style, size[0] * 0.7, size[1] * 0.75, largest=size[1] * rng.uniform(0.06, 0.09))
    pad = block.px * 0.7
    wide, high = block.width + 2 * pad, block.height + 2 * pad
    left, top = (size[0] - wide) * rng.uniform(0.1, 0.9), (size[1] - high) * rng.uniform(0.1, 0.9)
    note = Box(left, top, left + wide, top + high)
    fill_box(sheet, Box(note.left + 5, note.top + 6, note.right + 5, note.bottom + 6), (40, 40, 40))
    fill_box(sheet, note, rng.choice(((255, 244, 150), (255, 214, 224), (206, 240, 200), (250, 250, 250))))
    place_block(sheet, block, note.shrink(pad))
    return sheet


def draw_corner_overlay(job: Job) -> Image.Image:
    """Draw lettering along the left or right side of a photograph, over a gradient; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.5, 1.33, 1.0, low=440, high=800)
    sheet = job.paint_photograph(size)
    left = rng.random() < 0.5
    shade = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_270 if left else Image.Transpose.ROTATE_90)
    mask = shade.resize(size).point([min(235, round(value * 1.5)) for value in range(256)])
    dark = mix_colours(BLACK, pick_ground(rng, dark=1), 0.25)
    sheet.paste(paint_flat(size, dark), (0, 0), mask)
    style = job.choose_style("sans", "serif", "condensed", colour=WHITE, align="left" if left else "right")
    box = frame_sheet(sheet, 0.06)
    box = box._replace(right=size[0] * 0.58) if left else box._replace(left=size[0] * 0.42)
    place_text(job, sheet, job.text, style, box, largest=size[1] * 0.09, upright="middle")
    return sheet


def draw_black_on_white(job: Job) -> Image.Image:
    """Draw black lettering from the upper left of a white square or page."""
    rng = job.rng
    size = job.choose_size(1.0, 1.0, 1.33, 0.75, low=336, high=800)
    ground = rng.choice((WHITE, WHITE, (248, 248, 246)))
    sheet = paint_flat(size, ground)
    style = job.choose_style("sans", "mono", "serif", "hand", colour=rng.choice((BLACK, BLACK, (30, 30, 34))))
    box = frame_sheet(sheet, rng.uniform(0.03, 0.12))
    place_text(
        job,
        sheet,
        job.text,
        style,
        box,
        largest=size[1] * rng.uniform(0.06, 0.14),
        upright=rng.choice(("top", "middle")),
    )
    return sheet


def draw_colour_on_plain(job: Job) -> Image.Image:
    """Draw coloured lettering on an even ground."""
    rng = job.rng
    size = job.choose_size(1.0, 1.33, 0.75, 1.78, low=336, high=800)
    ground = pick_ground(rng)
    other = mix_colours(ground, WHITE if rng.random() < 0.5 else BLACK, 0.12)
    sheet = paint_flat(size, ground) if rng.random() < 0.6 else paint_gradient(size, ground, other)
    style = job.choose_style(
        "sans", "serif", "condensed", "rounded", "slab", "display", "hand", colour=pick_ink(rng, ground, least=5),
        align=rng.choice(("left", "centre")), capitals=rng.random() < 0.2,
    )  # fmt: skip
    place_text(
        job,
        sheet,
        job.text,
        style,
        frame_sheet(sheet, 0.07),
        largest=size[1] * rng.uniform(0.07, 0.16),
        upright="middle",
    )
    return sheet


def draw_small_on_plain(job: Job) -> Image.Image:
    """Draw small lettering somewhere on a large empty sheet."""
    rng = job.rng
    size = job.choose_size(1.0, 1.33, 0.75, low=480, high=860)
    ground = rng.choice((*CREAMS, WHITE, BRIGHT[-1]))
    sheet = paint_paper(rng, size, ground) if rng.random() < 0.5 else paint_flat(size, ground)
    style = job.choose_style("sans", "serif", "mono", "rounded", colour=pick_ink(rng, ground, least=6))
    block = job.fit(job.text, style, size[0] * 0.86, size[1] * 0.9, largest=size[1] * rng.uniform(0.03, 0.05))
    x = size[0] * 0.05 + (size[0] * 0.9 - block.width) * rng.random()
    y = size[1] * 0.04 + (size[1] * 0.92 - block.height) * rng.random()
    place_block(sheet, block, Box(x, y, x + block.width, y + block.height))
    return sheet


def draw_framed_plain(job: Job) -> Image.Image:
    """Draw lettering in a box on an even ground; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.0, 1.2, 0.8, low=336, high=800)
    ground = pick_ground(rng)
    sheet = paint_flat(size, ground)
    inner = rng.choice((WHITE, BLACK, mix_colours(ground, WHITE, 0.75)))
    box = frame_sheet(sheet, rng.uniform(0.05, 0.1))
    fill_box(sheet, box, inner, rng.choice((0, 20)), pick_ink(rng, ground))
    style = job.choose_style(
        "sans",
        "slab",
        "mono",
        "condensed",
        colour=pick_ink(rng, inner, least=6),
        align=rng.choice(("left", "right", "centre")),
    )
    place_text(
        job,
        sheet,
        job.text,
        style,
        box.shrink(size[0] * 0.05),
        largest=size[1] * rng.uniform(0.06, 0.13),
        upright="middle",
    )
    return sheet
