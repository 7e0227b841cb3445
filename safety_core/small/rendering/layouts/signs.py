"""Layouts of signs in streets and shops, of banners and T-shirts, and of labels of products."""

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import (
    ACCENTS,
    BLACK,
    BRIGHT,
    CREAMS,
    DARK,
    WHITE,
    compute_contrast,
    mix_colours,
    pick_ground,
    pick_ink,
)
from safety_core.small.rendering.drawings import draw_bar_code
from safety_core.small.rendering.finishing import mount_sheet
from safety_core.small.rendering.grounds import (
    paint_cloth,
    paint_flat,
    paint_gradient,
    paint_paper,
    paint_wall,
    paint_wood,
)
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

WARNINGS: tuple[tuple[Rgb, Rgb], ...] = (
    ((255, 205, 0), BLACK),
    ((200, 30, 36), WHITE),
    ((0, 96, 60), WHITE),
    ((0, 82, 160), WHITE),
    (WHITE, (190, 20, 30)),
    (WHITE, BLACK),
    ((236, 120, 20), BLACK),
)
"""Ground and lettering of official signs."""


def _cut_round(sheet: Image.Image, radius: float) -> Image.Image:
    """Cut the corners of a sheet round."""
    mask = Image.new("L", sheet.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, sheet.width - 1, sheet.height - 1), radius, fill=255)
    sheet.putalpha(mask)
    return sheet


def draw_metal_sign(job: Job) -> Image.Image:
    """Draw an official sign of one colour with a border, on a wall or over the photograph."""
    rng = job.rng
    ground, ink = rng.choice(WARNINGS)
    size = job.choose_size(1.6, 1.2, 0.8, 2.2, low=300, high=640, mounted=True)
    sheet = paint_gradient(size, ground, mix_colours(ground, BLACK, 0.08))
    box = frame_sheet(sheet, 0.03)
    radius = min(size) * 0.06
    draw_frame(sheet, box, ink, max(3, min(size) // 60), radius)
    style = job.choose_style(
        "sans", "condensed", colour=ink, align="centre", capitals=rng.random() < 0.4, balanced=True
    )
    place_text(job, sheet, job.text, style, box.shrink(min(size) * 0.07), largest=size[1] * 0.3, upright="middle")
    around = job.surround(size, least=0.15, most=0.5)
    behind = job.paint_photograph(around) if job.photograph or rng.random() < 0.5 else paint_wall(rng, around)
    return mount_sheet(rng, _cut_round(sheet, radius * 1.5), behind, tilt=2)


def draw_header_sign(job: Job) -> Image.Image:
    """Draw a sign whose first words stand in a band of colour above the rest."""
    rng = job.rng
    band, band_ink = rng.choice(WARNINGS[:4])
    size = job.choose_size(0.75, 1.0, 1.4, low=340, high=700, mounted=True)
    sheet = paint_flat(size, WHITE)
    title, rest = split_title(job.text)
    if not rest:
        title, rest = split_halves(job.text)
    top = Box(0, 0, size[0], size[1] * (0.32 if rest else 1))
    fill_box(sheet, top, band)
    head = job.choose_style(
        "condensed", "sans", "slab", colour=band_ink, align="centre", capitals=rng.random() < 0.5, balanced=True
    )
    place_text(
        job, sheet, title, head, top.shrink(size[0] * 0.06, size[1] * 0.03), largest=size[1] * 0.2, upright="middle"
    )
    if rest:
        style = job.choose_style("sans", "condensed", colour=BLACK, align="centre", balanced=True)
        box = Box(0, top.bottom, *size).shrink(size[0] * 0.07, size[1] * 0.05)
        place_text(job, sheet, rest, style, box, largest=size[1] * 0.14, upright="middle")
    draw_frame(sheet, Box(0, 0, size[0] - 1, size[1] - 1), BLACK, 3)
    around = job.surround(size, least=0.1, most=0.4)
    behind = job.paint_photograph(around) if job.photograph or rng.random() < 0.4 else paint_wall(rng, around)
    return mount_sheet(rng, sheet, behind, tilt=2.5)


def draw_shop_sign(job: Job) -> Image.Image:
    """Draw a painted wooden board or a shop front with decorative letters."""
    rng = job.rng
    size = job.choose_size(2.6, 2.0, 1.5, low=480, high=900)
    sheet = paint_wood(rng, size)
    ink = rng.choice(((255, 250, 235), (30, 22, 16), (250, 220, 120)))
    if rng.random() < 0.6 or compute_contrast(ink, sheet.resize((1, 1)).getpixel((0, 0))) < 4.5:  # type: ignore[arg-type]
        ground = pick_ground(rng)
        ink = pick_ink(rng, ground)
        box = frame_sheet(sheet, 0.09)
        fill_box(sheet, box, ground, min(size) * 0.05)
        draw_frame(sheet, box.shrink(6), ink, 2, min(size) * 0.04)
    style = job.choose_style("script", "display", "slab", "serif", colour=ink, align="centre", balanced=True)
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.17), largest=size[1] * 0.34, upright="middle")
    return sheet


def draw_paper_notice(job: Job) -> Image.Image:
    """Draw a printed or hand-written notice taped to a door or a wall."""
    rng = job.rng
    size = job.choose_size(0.72, 1.4, low=380, high=700, mounted=True)
    sheet = paint_paper(rng, size, rng.choice((*CREAMS, (250, 240, 150))))
    style = job.choose_style(
        "sans", "hand", "serif", colour=rng.choice((BLACK, (190, 20, 30), (20, 40, 120))), align="centre", balanced=True
    )
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.1), largest=size[1] * 0.15, upright="middle")
    for x in (0.06, 0.94):
        fill_box(sheet, Box(size[0] * x - 26, 0, size[0] * x + 26, 18), (222, 214, 186))
    around = job.surround(size, least=0.12, most=0.45)
    behind = job.paint_photograph(around) if job.photograph else rng.choice((paint_wall, paint_wood))(rng, around)
    return mount_sheet(rng, sheet, behind, tilt=5)


def draw_hanging_sign(job: Job) -> Image.Image:
    """Draw a sign on two chains with a double border; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.5, 1.1, low=320, high=640, mounted=True)
    ground = rng.choice(((42, 48, 54), (244, 240, 228), (20, 66, 60), (118, 40, 34)))
    ink = pick_ink(rng, ground, least=6)
    sheet = paint_flat(size, ground)
    for margin in (0.03, 0.055):
        draw_frame(sheet, frame_sheet(sheet, margin), ink, 3)
    style = job.choose_style("serif", "slab", "condensed", colour=ink, align="centre", balanced=True)
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.12), largest=size[1] * 0.26, upright="middle")
    around = job.surround(size, least=0.3, most=0.5)
    behind = job.paint_photograph(around)
    pen = ImageDraw.Draw(behind)
    for x in (0.35, 0.65):
        pen.line((around[0] * x, 0, around[0] * x, around[1] / 2), fill=(60, 60, 62), width=5)
    return mount_sheet(rng, sheet, behind, tilt=2, bend=0.015)


def draw_cloth_banner(job: Job) -> Image.Image:
    """Draw a wide banner of cloth with painted letters, before the photograph."""
    rng = job.rng
    size = job.choose_size(2.6, 2.0, 3.2, low=560, high=960, mounted=True)
    ground = pick_ground(rng, dark=0.4)
    sheet = paint_cloth(rng, size, ground)
    style = job.choose_style(
        "display", "hand", "condensed", "sans", colour=pick_ink(rng, ground, least=5.5), align="centre", balanced=True
    )
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.13), largest=size[1] * 0.4, upright="middle")
    around = (min(1280, round(size[0] * 1.12)), min(1280, round(size[1] * rng.uniform(1.5, 2.2))))
    return mount_sheet(rng, sheet, job.paint_photograph(around), tilt=3)


def draw_protest_board(job: Job) -> Image.Image:
    """Draw a cardboard sign on a stick."""
    rng = job.rng
    size = job.choose_size(1.3, 1.0, 0.8, low=340, high=680, mounted=True)
    ground = rng.choice(((196, 160, 112), WHITE, (250, 246, 220), (255, 230, 90)))
    sheet = paint_paper(rng, size, ground)
    style = job.choose_style("hand", "display", colour=pick_ink(rng, ground, least=5.5), align="centre", balanced=True)
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.09), largest=size[1] * 0.24, upright="middle")
    around = job.surround(size, least=0.3, most=0.5)
    behind = job.paint_photograph(around)
    ImageDraw.Draw(behind).rectangle(
        (around[0] / 2 - 9, around[1] / 2, around[0] / 2 + 9, around[1]), fill=(150, 110, 70)
    )
    return mount_sheet(rng, sheet, behind, tilt=6)


def draw_shirt(job: Job) -> Image.Image:
    """Draw a T-shirt, laid flat, with lettering on its breast."""
    rng = job.rng
    width, height = job.choose_size(0.9, low=560, high=860)
    sheet = paint_wood(rng, (width, height)) if rng.random() < 0.5 else paint_flat((width, height), rng.choice(CREAMS))
    colour = rng.choice((*DARK, *BRIGHT[:6], BLACK, WHITE))
    cloth = paint_cloth(rng, (width, height), colour)
    mask = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(mask)
    outline = [(0.16, 0.1), (0.36, 0.04), (0.64, 0.04), (0.84, 0.1), (0.99, 0.34), (0.86, 0.42), (0.86, 0.98)]
    outline += [(0.14, 0.98), (0.14, 0.42), (0.01, 0.34)]
    pen.polygon([(x * width, y * height) for x, y in outline], fill=255)
    pen.ellipse((0.38 * width, -0.04 * height, 0.62 * width, 0.11 * height), fill=0)
    sheet.paste(cloth, (0, 0), mask)
    style = job.choose_style(
        "display", "sans", "rounded", "script", colour=pick_ink(rng, colour, least=5), align="centre", balanced=True
    )
    box = Box(0.2 * width, 0.24 * height, 0.8 * width, 0.78 * height)
    place_text(
        job, sheet, job.text, style, box, largest=height * 0.12, upright="middle" if rng.random() < 0.5 else "top"
    )
    return sheet


def draw_street_banner(job: Job) -> Image.Image:
    """Draw a banner between two poles with a stripe of a second colour; reserved for tests."""
    rng = job.rng
    size = job.choose_size(2.8, 2.2, low=560, high=960, mounted=True)
    ground = pick_ground(rng, dark=0.7)
    sheet = paint_gradient(size, ground, mix_colours(ground, BLACK, 0.2), upright=False)
    stripe = rng.choice(ACCENTS)
    fill_box(sheet, Box(0, size[1] * 0.9, *size), stripe)
    fill_box(sheet, Box(0, 0, size[0], size[1] * 0.1), stripe)
    style = job.choose_style(
        "sans", "slab", "rounded", colour=pick_ink(rng, ground, least=5.5), align="centre", balanced=True
    )
    box = Box(0, 0, *size).shrink(size[0] * 0.05, size[1] * 0.15)
    place_text(job, sheet, job.text, style, box, largest=size[1] * 0.4, upright="middle")
    around = (min(1280, round(size[0] * 1.15)), min(1280, round(size[1] * 2)))
    behind = job.paint_photograph(around)
    for x in (0.03, 0.97):
        ImageDraw.Draw(behind).line((around[0] * x, 0, around[0] * x, around[1]), fill=(70, 72, 76), width=10)
    return mount_sheet(rng, sheet, behind, tilt=1.5)


def draw_product_label(job: Job) -> Image.Image:
    """Draw the label of a bottle, jar or packet."""
    rng = job.rng
    size = job.choose_size(0.8, 1.0, 1.5, low=360, high=700)
    ground = rng.choice((*CREAMS, *BRIGHT, *DARK))
    sheet = paint_paper(rng, size, ground)
    ink = pick_ink(rng, ground)
    title, rest = split_title(job.text)
    inner = frame_sheet(sheet, 0.05)
    draw_frame(sheet, inner, ink, 2, rng.choice((0, 18)))
    box = inner.shrink(size[0] * 0.05, size[1] * 0.05)
    share = 0.4 if rest else 0.85
    head = job.choose_style("display", "slab", "serif", "script", "rounded", colour=ink, align="centre", balanced=True)
    used = place_text(
        job, sheet, title, head, box._replace(bottom=box.top + box.height * share), largest=size[1] * 0.17,
        upright="top" if rest else "middle",
    )  # fmt: skip
    if rest:
        line = used.bottom + size[1] * 0.02
        ImageDraw.Draw(sheet).line((box.left, line, box.right, line), fill=ink, width=2)
        style = job.choose_style("sans", "condensed", "serif", colour=ink, align=rng.choice(("left", "centre")))
        place_text(job, sheet, rest, style, box._replace(top=line + size[1] * 0.03), largest=size[1] * 0.075)
    return sheet


def draw_price_tag(job: Job) -> Image.Image:
    """Draw a sticker with a bar code below its text."""
    rng = job.rng
    size = job.choose_size(1.5, 1.15, low=340, high=640, mounted=True)
    ground = rng.choice((WHITE, (255, 240, 120), (250, 250, 244)))
    sheet = paint_flat(size, ground)
    box = frame_sheet(sheet, 0.07)
    style = job.choose_style("sans", "condensed", "mono", colour=BLACK)
    used = place_text(job, sheet, job.text, style, box.cut(bottom=size[1] * 0.24), largest=size[1] * 0.16)
    draw_bar_code(
        sheet,
        rng,
        Box(box.left, max(used.bottom + 8, box.bottom - size[1] * 0.2), box.left + box.width * 0.6, box.bottom),
    )
    around = job.surround(size, least=0.2, most=0.4)
    behind = (
        job.paint_photograph(around) if job.photograph else paint_gradient(around, pick_ground(rng), (210, 210, 206))
    )
    return mount_sheet(rng, _cut_round(sheet, 14), behind, tilt=4)


def draw_parcel_label(job: Job) -> Image.Image:
    """Draw a label divided by thick lines, on cardboard; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.75, 1.3, low=380, high=700, mounted=True)
    sheet = paint_flat(size, (252, 252, 250))
    box = frame_sheet(sheet, 0.05)
    draw_frame(sheet, box, BLACK, 4)
    style = job.choose_style("sans", "condensed", colour=BLACK)
    used = place_text(
        job, sheet, job.text, style, box.shrink(size[0] * 0.05).cut(bottom=size[1] * 0.2), largest=size[1] * 0.11
    )
    line = max(used.bottom + 10, box.bottom - size[1] * 0.22)
    ImageDraw.Draw(sheet).line((box.left, line, box.right, line), fill=BLACK, width=4)
    draw_bar_code(sheet, rng, Box(box.left + 20, line + 12, box.right - 20, box.bottom - 12))
    around = job.surround(size, least=0.15, most=0.4)
    return mount_sheet(rng, sheet, paint_paper(rng, around, (190, 152, 106)), tilt=5)
