"""Layouts of posters and memes."""

from dataclasses import replace

from PIL import Image, ImageDraw, ImageEnhance

from safety_core.small.rendering.colours import (
    ACCENTS,
    BLACK,
    WHITE,
    mix_colours,
    pick_ground,
    pick_ink,
)
from safety_core.small.rendering.finishing import mount_sheet
from safety_core.small.rendering.grounds import paint_flat, paint_gradient, paint_paper, paint_wall
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.placing import (
    Box,
    draw_frame,
    fill_box,
    frame_sheet,
    place_block,
    place_text,
    split_halves,
    split_title,
)
from safety_core.small.rendering.typography.typesetting import Align, Style

POSTER_SHAPES = (0.71, 0.66, 0.8, 1.0)


def _draw_title_and_rest(job: Job, sheet: Image.Image, box: Box, head: Style, body: Style) -> None:
    """Set the first line large and the rest below it, both from the top."""
    title, rest = split_title(job.text)
    share = 0.5 if rest else 1.0
    used = place_text(
        job, sheet, title, head, box._replace(bottom=box.top + box.height * share), largest=sheet.height * 0.17,
        upright="top" if rest else "middle",
    )  # fmt: skip
    if rest:
        below = box._replace(top=used.bottom + sheet.height * 0.03)
        place_text(job, sheet, rest, body, below, largest=sheet.height * 0.075)


def draw_plain_poster(job: Job) -> Image.Image:
    """Draw a poster of one colour or a gradient, with a shape behind the lettering."""
    rng = job.rng
    size = job.choose_size(*POSTER_SHAPES)
    ground = pick_ground(rng)
    if rng.random() < 0.5:
        sheet = paint_gradient(size, ground, mix_colours(ground, rng.choice(ACCENTS), 0.18), upright=rng.random() < 0.6)
    else:
        sheet = paint_flat(size, ground)
    pen = ImageDraw.Draw(sheet)
    faint = mix_colours(ground, rng.choice(ACCENTS), 0.16)
    for _ in range(rng.randint(0, 4)):
        x, y, r = rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.uniform(0.1, 0.4) * size[0]
        pen.ellipse((x - r, y - r, x + r, y + r), fill=faint)
    ink = pick_ink(rng, ground, least=6)
    align: Align = rng.choice(("left", "centre", "centre"))
    head = job.choose_style(
        "display", "condensed", "slab", "sans", "script", colour=ink, align=align, balanced=True, leading=1.15
    )
    body = job.choose_style("sans", "serif", "rounded", colour=ink, align=align)
    box = frame_sheet(sheet, 0.09)
    if rng.random() < 0.3:
        draw_frame(sheet, frame_sheet(sheet, 0.03), ink, 4)
    _draw_title_and_rest(job, sheet, box, head, body)
    return sheet


def draw_photo_poster(job: Job) -> Image.Image:
    """Draw a poster whose upper or lower part is a photograph."""
    rng = job.rng
    size = job.choose_size(*POSTER_SHAPES)
    ground = pick_ground(rng)
    sheet = paint_flat(size, ground)
    share = rng.uniform(0.3, 0.48)
    high = round(size[1] * share)
    below = rng.random() < 0.6
    sheet.paste(job.paint_photograph((size[0], high)), (0, 0 if below else size[1] - high))
    ink = pick_ink(rng, ground, least=6)
    align: Align = rng.choice(("left", "centre"))
    head = job.choose_style(
        "display", "condensed", "sans", "slab", colour=ink, align=align, balanced=True, leading=1.15
    )
    body = job.choose_style("sans", "serif", "condensed", colour=ink, align=align)
    box = Box(0, high if below else 0, size[0], size[1] if below else size[1] - high)
    _draw_title_and_rest(job, sheet, box.shrink(size[0] * 0.07, size[1] * 0.045), head, body)
    return sheet


def draw_dark_poster(job: Job) -> Image.Image:
    """Draw a poster of a darkened photograph with bright lettering, like that of a film or a concert."""
    rng = job.rng
    size = job.choose_size(*POSTER_SHAPES)
    sheet = ImageEnhance.Brightness(job.paint_photograph(size)).enhance(rng.uniform(0.25, 0.4))
    ink = rng.choice((WHITE, (255, 220, 90), (255, 240, 220), (160, 230, 255)))
    align: Align = rng.choice(("left", "centre"))
    head = job.choose_style(
        "display", "serif", "condensed", "script", colour=ink, align=align, balanced=True, leading=1.15
    )
    body = job.choose_style("sans", "condensed", "serif", colour=WHITE, align=align)
    _draw_title_and_rest(job, sheet, frame_sheet(sheet, 0.09), head, body)
    return sheet


def draw_pasted_poster(job: Job) -> Image.Image:
    """Draw a paper poster pasted on a wall."""
    rng = job.rng
    size = job.choose_size(*POSTER_SHAPES, low=400, high=760, mounted=True)
    ground = pick_ground(rng, dark=0.3)
    sheet = paint_paper(rng, size, ground)
    ink = pick_ink(rng, ground, least=6)
    head = job.choose_style(
        "display", "slab", "hand", "condensed", colour=ink, align="centre", balanced=True, leading=1.15
    )
    body = job.choose_style("serif", "sans", "hand", colour=ink, align="centre", balanced=True)
    _draw_title_and_rest(job, sheet, frame_sheet(sheet, 0.09), head, body)
    around = job.surround(size, least=0.12, most=0.5)
    behind = job.paint_photograph(around) if job.photograph and rng.random() < 0.6 else paint_wall(rng, around)
    return mount_sheet(rng, sheet, behind, tilt=4)


def draw_split_poster(job: Job) -> Image.Image:
    """Draw a poster divided by a slanting edge, its title in one half; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.7, 0.78, 1.3)
    first, second = pick_ground(rng, dark=1.0), pick_ground(rng, dark=0.0)
    sheet = paint_flat(size, second)
    title, rest = split_title(job.text)
    if not rest:
        title, rest = split_halves(job.text)
    edge = 0.5
    ImageDraw.Draw(sheet).polygon(
        [(0, 0), (size[0], 0), (size[0], size[1] * (edge - 0.05)), (0, size[1] * (edge + 0.05))], fill=first
    )
    box = frame_sheet(sheet, 0.08)
    head = job.choose_style(
        "display", "sans", "condensed", colour=pick_ink(rng, first, least=6), align="left", leading=1.15
    )
    place_text(
        job, sheet, title, head, box._replace(bottom=size[1] * (edge - 0.07)), largest=size[1] * 0.16, upright="middle"
    )
    if rest:
        body = job.choose_style("slab", "serif", "sans", colour=pick_ink(rng, second, least=6), align="left")
        place_text(job, sheet, rest, body, box._replace(top=size[1] * (edge + 0.08)), largest=size[1] * 0.1)
    return sheet


def _choose_meme_style(job: Job) -> Style:
    """White capitals with a black outline."""
    style = job.choose_style(
        "display", "condensed", colour=WHITE, align="centre", capitals=True, balanced=True, leading=1.1
    )
    return replace(style, weight=max(style.face.weights), outline=job.rng.uniform(0.05, 0.08), outline_colour=BLACK)


def draw_outlined_meme(job: Job) -> Image.Image:
    """Draw a photograph with outlined capitals at its top and bottom."""
    rng = job.rng
    size = job.choose_size(1.0, 1.33, 0.8, low=384, high=760)
    sheet = job.paint_photograph(size)
    style = _choose_meme_style(job)
    top, bottom = split_halves(job.text) if "\n" in job.text or rng.random() < 0.6 else (job.text, "")
    if not bottom and rng.random() < 0.5:
        top, bottom = "", top
    box = frame_sheet(sheet, 0.035)
    if top:
        place_text(job, sheet, top, style, box._replace(bottom=size[1] * 0.46), largest=size[1] * 0.13)
    if bottom:
        place_text(
            job, sheet, bottom, style, box._replace(top=size[1] * 0.54), largest=size[1] * 0.13, upright="bottom"
        )
    return sheet


def draw_captioned_meme(job: Job) -> Image.Image:
    """Draw a photograph below a white band with black lettering."""
    rng = job.rng
    width, height = job.choose_size(1.0, 1.3, 0.85, low=400, high=760)
    style = job.choose_style("sans", "condensed", colour=BLACK, align=rng.choice(("left", "centre")))
    block = job.fit(job.text, style, width * 0.92, height * 0.6, largest=height * 0.075)
    band = block.height + round(height * 0.05)
    dark = rng.random() < 0.25
    sheet = paint_flat((width, height), BLACK if dark else WHITE)
    sheet.paste(job.paint_photograph((width, height - band)), (0, band))
    shown = replace(block, style=replace(style, colour=WHITE if dark else BLACK))
    place_block(sheet, shown, Box(width * 0.04, height * 0.02, width * 0.96, band))
    return sheet


def draw_motivational_meme(job: Job) -> Image.Image:
    """Draw a framed photograph on black, with a serif title and a line below."""
    rng = job.rng
    width, height = job.choose_size(1.25, 1.0, 0.85, low=480, high=800)
    sheet = paint_flat((width, height), (8, 8, 10))
    title, rest = split_title(job.text)
    high = round(height * 0.56)
    margin = round(width * 0.1)
    photo = job.paint_photograph((width - 2 * margin, high - margin))
    sheet.paste(photo, (margin, round(margin * 0.7)))
    frame = Box(margin, margin * 0.7, width - margin, margin * 0.7 + photo.height)
    draw_frame(sheet, frame.shrink(-5), WHITE, 2)
    head = job.choose_style(
        "serif", colour=rng.choice((WHITE, (240, 200, 80))), align="centre", capitals=rng.random() < 0.6, balanced=True
    )
    box = Box(width * 0.06, frame.bottom + height * 0.03, width * 0.94, height * 0.98)
    used = place_text(
        job,
        sheet,
        title,
        head,
        box if not rest else box._replace(bottom=box.top + box.height * 0.6),
        largest=height * 0.1,
    )
    if rest:
        body = job.choose_style("serif", "sans", colour=WHITE, align="centre", balanced=True)
        place_text(job, sheet, rest, body, box._replace(top=used.bottom + 6), largest=height * 0.06)
    return sheet


def draw_panel_meme(job: Job) -> Image.Image:
    """Draw photographs on one side and each half of the text beside them; reserved for tests."""
    rng = job.rng
    width, height = job.choose_size(1.0, 1.2, low=480, high=800)
    sheet = paint_flat((width, height), WHITE)
    halves = [half for half in split_halves(job.text) if half]
    style = job.choose_style("sans", "display", "condensed", colour=BLACK, align="centre", balanced=True)
    step = height / len(halves)
    for number, half in enumerate(halves):
        top = round(number * step)
        sheet.paste(job.paint_photograph((width // 2, round(step))), (0, top))
        box = Box(width * 0.53, top + height * 0.02, width * 0.97, top + step - height * 0.02)
        place_text(job, sheet, half, style, box, largest=height * 0.09, upright="middle")
    pen = ImageDraw.Draw(sheet)
    for number in range(1, len(halves)):
        pen.line((0, number * step, width, number * step), fill=BLACK, width=3)
    pen.line((width / 2, 0, width / 2, height), fill=BLACK, width=3)
    fill_box(sheet, Box(0, height - 4, width, height), rng.choice((BLACK, (40, 40, 40))))
    return sheet
