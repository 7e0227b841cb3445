"""Layouts of slides and of charts, whose axes and bars are drawn by ourselves."""

import math

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import ACCENTS, WHITE, mix_colours, pick_ground, pick_ink
from safety_core.small.rendering.finishing import mount_sheet
from safety_core.small.rendering.grounds import paint_board, paint_flat, paint_gradient, paint_paper, paint_wall
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.placing import (
    Box,
    draw_frame,
    fill_box,
    frame_sheet,
    place_text,
    split_halves,
    split_title,
)
from safety_core.small.rendering.typography.symbols import Rgb
from safety_core.small.rendering.typography.typesetting import Align, draw_line

SLIDE_SHAPES = (1.78, 1.33)

BLACKISH: Rgb = (30, 32, 38)


def _add_bullets(job: Job, text: str) -> str:
    """Put bullets before lines that have neither a number nor a bullet."""
    bullet = job.rng.choice(("• ", "- ", "→ ", "", ""))
    lines = text.split("\n")
    if any(line[:1].isdigit() or line[:1] in "-•*□☐✓" for line in lines) or len(lines) < 2:
        return text
    return "\n".join(bullet + line for line in lines)


def draw_title_slide(job: Job) -> Image.Image:
    """Draw a slide with a title above its points."""
    rng = job.rng
    size = job.choose_size(*SLIDE_SHAPES, low=520, high=960)
    ground = rng.choice((WHITE, WHITE, pick_ground(rng)))
    sheet = paint_flat(size, ground)
    ink = pick_ink(rng, ground, least=6)
    title, rest = split_title(job.text)
    accent = rng.choice(ACCENTS)
    if rng.random() < 0.5:
        fill_box(sheet, Box(0, 0, size[0] * 0.02, size[1]), accent)
    box = frame_sheet(sheet, 0.09)
    head = job.choose_style("sans", "serif", "condensed", "slab", "rounded", colour=ink, align="left")
    share = 0.38 if rest else 1.0
    used = place_text(
        job, sheet, title, head, box._replace(bottom=box.top + box.height * share), largest=size[1] * 0.12,
        upright="top" if rest else "middle",
    )  # fmt: skip
    y = used.bottom + size[1] * 0.025
    if rng.random() < 0.6:
        ImageDraw.Draw(sheet).line(
            (box.left, y, box.left + box.width * rng.choice((0.2, 1.0)), y), fill=accent, width=4
        )
    if rest:
        body = job.choose_style("sans", "serif", "condensed", "rounded", colour=ink, leading=1.5)
        place_text(
            job, sheet, _add_bullets(job, rest), body, box._replace(top=y + size[1] * 0.04), largest=size[1] * 0.075
        )
    return sheet


def draw_band_slide(job: Job) -> Image.Image:
    """Draw a slide whose title stands in a band of colour, with the photograph beside its points where there is one."""
    rng = job.rng
    size = job.choose_size(*SLIDE_SHAPES, low=520, high=960)
    sheet = paint_flat(size, (250, 250, 250))
    band = pick_ground(rng, dark=0.9)
    title, rest = split_title(job.text)
    if not rest:
        title, rest = split_halves(job.text)
    top = Box(0, 0, size[0], size[1] * (0.26 if rest else 1.0))
    sheet.paste(
        paint_gradient((size[0], round(top.height)), band, mix_colours(band, (0, 0, 0), 0.25), upright=False), (0, 0)
    )
    head = job.choose_style(
        "sans", "condensed", "serif", colour=pick_ink(rng, band, least=6), align=rng.choice(("left", "centre"))
    )
    place_text(
        job, sheet, title, head, top.shrink(size[0] * 0.05, size[1] * 0.03), largest=size[1] * 0.12, upright="middle"
    )
    if not rest:
        return sheet
    box = Box(size[0] * 0.05, top.bottom + size[1] * 0.06, size[0] * 0.95, size[1] * 0.94)
    if job.photograph is not None and rng.random() < 0.6:
        wide = round(size[0] * 0.36)
        sheet.paste(job.paint_photograph((wide, round(box.height))), (round(box.right - wide), round(box.top)))
        box = box.cut(right=wide + size[0] * 0.04)
    body = job.choose_style("sans", "condensed", "rounded", colour=BLACKISH, leading=1.45)
    place_text(job, sheet, _add_bullets(job, rest), body, box, largest=size[1] * 0.075)
    return sheet


def draw_projected_slide(job: Job) -> Image.Image:
    """Draw a photograph of a screen in a dark room."""
    rng = job.rng
    size = job.choose_size(*SLIDE_SHAPES, low=560, high=900, mounted=True)
    ground = rng.choice(((236, 240, 246), (24, 40, 80), (250, 250, 248)))
    slide = paint_flat(size, ground)
    ink = pick_ink(rng, ground, least=7)
    box = frame_sheet(slide, 0.09)
    title, rest = split_title(job.text)
    head = job.choose_style("sans", "slab", colour=ink)
    used = place_text(
        job,
        slide,
        title,
        head,
        box._replace(bottom=box.top + box.height * (0.45 if rest else 1)),
        largest=size[1] * 0.12,
    )
    if rest:
        body = job.choose_style("sans", "condensed", colour=ink, leading=1.4)
        place_text(
            job,
            slide,
            _add_bullets(job, rest),
            body,
            box._replace(top=used.bottom + size[1] * 0.04),
            largest=size[1] * 0.08,
        )
    around = job.surround(size, least=0.15, most=0.4)
    behind = paint_gradient(around, (46, 44, 50), (16, 16, 20))
    return mount_sheet(rng, slide, behind, tilt=2, bend=0.025, shade=False)


def draw_blackboard(job: Job) -> Image.Image:
    """Draw writing on a blackboard, a whiteboard or a flip chart; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.6, 1.2, low=480, high=900)
    chalk = rng.random() < 0.6
    sheet = paint_board(rng, size, chalk=chalk)
    ink = (
        rng.choice(((240, 240, 230), (250, 226, 140)))
        if chalk
        else rng.choice(((20, 40, 130), (20, 20, 24), (170, 20, 30)))
    )
    draw_frame(sheet, Box(0, 0, size[0] - 1, size[1] - 1), (120, 84, 52) if chalk else (180, 184, 188), 10)
    style = job.choose_style("hand", colour=ink, align=rng.choice(("left", "centre")))
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.1), largest=size[1] * 0.13, upright="middle")
    return sheet


def draw_number_slide(job: Job) -> Image.Image:
    """Draw a slide with two columns: title at the left, points at the right; reserved for tests."""
    rng = job.rng
    size = job.choose_size(*SLIDE_SHAPES, low=560, high=960)
    left, right = pick_ground(rng, dark=1.0), pick_ground(rng, dark=0.0)
    sheet = paint_flat(size, right)
    edge = size[0] * 0.42
    fill_box(sheet, Box(0, 0, edge, size[1]), left)
    title, rest = split_title(job.text)
    if not rest:
        title, rest = split_halves(job.text)
    head = job.choose_style("display", "sans", "serif", colour=pick_ink(rng, left, least=6))
    place_text(
        job,
        sheet,
        title,
        head,
        Box(0, 0, edge, size[1]).shrink(size[0] * 0.04),
        largest=size[1] * 0.13,
        upright="middle",
    )
    if rest:
        body = job.choose_style("sans", "rounded", colour=pick_ink(rng, right, least=6), leading=1.45)
        place_text(
            job,
            sheet,
            _add_bullets(job, rest),
            body,
            Box(edge, 0, *size).shrink(size[0] * 0.04),
            largest=size[1] * 0.08,
            upright="middle",
        )
    return sheet


def _draw_axes(job: Job, sheet: Image.Image, box: Box, ink: Rgb) -> None:
    """Draw axes, ticks with numbers, and light rules."""
    pen = ImageDraw.Draw(sheet)
    step = job.rng.choice((1, 5, 10, 20, 25, 50, 100))
    rows = job.rng.randint(3, 5)
    style = job.choose_style("sans", "condensed", colour=ink)
    for row in range(rows + 1):
        y = box.bottom - box.height * row / rows
        pen.line((box.left, y, box.right, y), fill=(214, 216, 220))
        draw_line(sheet, str(step * row), style, 15, box.left - 40, y - 9)
    pen.line((box.left, box.top, box.left, box.bottom, box.right, box.bottom), fill=ink, width=2)


def _draw_values(job: Job, sheet: Image.Image, box: Box) -> None:
    """Draw bars, lines or points."""
    rng = job.rng
    pen = ImageDraw.Draw(sheet)
    count = rng.randint(4, 9)
    values = [rng.uniform(0.1, 0.95) for _ in range(count)]
    colour, other = rng.sample(ACCENTS, 2)
    step = box.width / count
    kind = rng.randrange(3)
    points = [
        (box.left + step * (number + 0.5), box.bottom - value * box.height) for number, value in enumerate(values)
    ]
    if kind == 0:
        for number, (x, y) in enumerate(points):
            pen.rectangle(
                (x - step * 0.34, y, x + step * 0.34, box.bottom),
                fill=colour if number % 2 else mix_colours(colour, other, 0.5),
            )
    elif kind == 1:
        pen.line(points, fill=colour, width=4, joint="curve")
        pen.line(
            [(x, box.top + (y - box.top) * 0.6 + box.height * 0.2) for x, y in points],
            fill=other,
            width=4,
            joint="curve",
        )
    else:
        for x, y in points:
            for _ in range(3):
                dx, dy = rng.uniform(-step, step) / 2, rng.uniform(-0.08, 0.08) * box.height
                pen.ellipse((x + dx - 5, y + dy - 5, x + dx + 5, y + dy + 5), fill=colour)


def draw_axis_chart(job: Job) -> Image.Image:
    """Draw a chart with axes below the text, which is its title and legend."""
    rng = job.rng
    size = job.choose_size(1.4, 1.2, 1.0, low=480, high=860)
    ground = rng.choice((WHITE, WHITE, (248, 244, 234), (30, 34, 44)))
    ink = pick_ink(rng, ground, least=8)
    sheet = paint_flat(size, ground)
    box = frame_sheet(sheet, 0.05)
    title, rest = split_title(job.text)
    align: Align = rng.choice(("left", "centre"))
    head = job.choose_style("sans", "condensed", "serif", colour=ink, align=align)
    used = place_text(job, sheet, title, head, box._replace(bottom=box.top + box.height * 0.35), largest=size[1] * 0.06)
    if rest:
        body = job.choose_style("sans", "condensed", colour=ink, align=align)
        used = place_text(
            job,
            sheet,
            rest,
            body,
            Box(box.left, used.bottom + 6, box.right, box.top + box.height * 0.62),
            largest=size[1] * 0.042,
        )
    plot = Box(box.left + 48, used.bottom + 20, box.right, box.bottom - 10)
    _draw_axes(job, sheet, plot, ink)
    _draw_values(job, sheet, plot)
    return sheet


def draw_pie_chart(job: Job) -> Image.Image:
    """Draw a pie or ring beside the text."""
    rng = job.rng
    size = job.choose_size(1.5, 0.8, low=480, high=860)
    ground = rng.choice((WHITE, pick_ground(rng, dark=0.3)))
    sheet = paint_flat(size, ground)
    wide = size[0] > size[1]
    side = min(size) * (0.62 if wide else 0.55)
    x = size[0] - side * 1.12 if wide else (size[0] - side) / 2
    y = (size[1] - side) / 2 if wide else size[1] - side * 1.1
    start = rng.uniform(0, 360)
    pie = Image.new("RGB", (round(side * 2), round(side * 2)), ground)
    pen = ImageDraw.Draw(pie)
    shares = [rng.uniform(0.5, 2) for _ in range(rng.randint(3, 6))]
    for share, colour in zip(shares, rng.sample(ACCENTS, len(shares)), strict=True):
        end = start + 360 * share / sum(shares)
        pen.pieslice((0, 0, side * 2 - 1, side * 2 - 1), start, end, fill=colour, outline=ground, width=4)
        start = end
    if rng.random() < 0.4:
        pen.ellipse((side * 0.5, side * 0.5, side * 1.5, side * 1.5), fill=ground)
    sheet.paste(pie.resize((round(side), round(side)), Image.Resampling.LANCZOS), (round(x), round(y)))
    box = frame_sheet(sheet, 0.06)
    box = box._replace(right=x - 20) if wide else box._replace(bottom=y - 20)
    style = job.choose_style("sans", "condensed", "slab", colour=pick_ink(rng, ground, least=6))
    place_text(job, sheet, job.text, style, box, largest=size[1] * 0.08, upright="middle")
    return sheet


def draw_bar_list(job: Job) -> Image.Image:
    """Draw a lying bar below each line of the text; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.2, 0.9, low=480, high=860)
    sheet = paint_paper(rng, size, (250, 250, 248))
    lines = [line for line in job.text.split("\n") if line.strip()]
    box = frame_sheet(sheet, 0.06)
    style = job.choose_style("sans", "condensed", colour=BLACKISH)
    colour = rng.choice(ACCENTS)
    room = box.height / len(lines)
    top = box.top
    for number, line in enumerate(lines):
        used = place_text(
            job, sheet, line, style, Box(box.left, top, box.right, top + room * 0.7), largest=size[1] * 0.07
        )
        top = used.bottom + size[1] * 0.015
        if number or len(lines) == 1:
            high = min(size[1] * 0.06, room * 0.2)
            fill_box(sheet, Box(box.left, top, box.left + box.width * rng.uniform(0.2, 0.95), top + high), colour)
            top += high + size[1] * 0.02
    _draw_values(job, sheet, box._replace(top=min(top + 20, box.bottom - 4)))
    return sheet


def draw_dashboard(job: Job) -> Image.Image:
    """Draw tiles with gauges below the text; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.5, 1.2, low=520, high=900)
    ground = rng.choice(((18, 22, 34), (244, 246, 250)))
    panel = mix_colours(ground, (120, 130, 150), 0.14)
    sheet = paint_flat(size, ground)
    box = frame_sheet(sheet, 0.05)
    upper = box._replace(bottom=box.top + box.height * 0.5)
    fill_box(sheet, upper, panel, 12)
    style = job.choose_style("sans", "rounded", "condensed", colour=pick_ink(rng, panel, least=7))
    place_text(job, sheet, job.text, style, upper.shrink(20), largest=size[1] * 0.075, upright="middle")
    pen = ImageDraw.Draw(sheet)
    for number in range(3):
        wide = (box.width - 24) / 3
        tile = Box(
            box.left + number * (wide + 12), upper.bottom + 14, box.left + number * (wide + 12) + wide, box.bottom
        )
        fill_box(sheet, tile, panel, 12)
        inner = tile.shrink(16)
        if number == 1:
            _draw_values(job, sheet, inner)
            continue
        radius = min(inner.width, inner.height) / 2
        x, y = (inner.left + inner.right) / 2, (inner.top + inner.bottom) / 2
        arc = (x - radius, y - radius, x + radius, y + radius)
        pen.arc(arc, 135, 405, fill=mix_colours(panel, (130, 140, 160), 0.4), width=round(radius / 5))
        pen.arc(arc, 135, 135 + rng.uniform(60, 260), fill=rng.choice(ACCENTS), width=round(radius / 5))
        angle = math.radians(rng.uniform(135, 405))
        pen.line(
            (x, y, x + math.cos(angle) * radius * 0.6, y + math.sin(angle) * radius * 0.6),
            fill=rng.choice(ACCENTS),
            width=4,
        )
    return sheet


def draw_wall_screen(job: Job) -> Image.Image:
    """Draw a slide on a screen on a wall."""
    rng = job.rng
    size = job.choose_size(*SLIDE_SHAPES, low=520, high=860, mounted=True)
    ground = pick_ground(rng)
    slide = paint_gradient(size, ground, mix_colours(ground, (0, 0, 0), 0.2))
    style = job.choose_style(
        "sans", "display", "slab", "serif", colour=pick_ink(rng, ground, least=7), align="centre", balanced=True
    )
    place_text(job, slide, job.text, style, frame_sheet(slide, 0.1), largest=size[1] * 0.16, upright="middle")
    draw_frame(slide, Box(0, 0, size[0] - 1, size[1] - 1), (20, 20, 22), 9)
    around = job.surround(size, least=0.1, most=0.35)
    return mount_sheet(rng, slide, paint_wall(rng, around), tilt=2)
