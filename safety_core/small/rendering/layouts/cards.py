"""Layouts of cards: identity, bank, membership, business, greeting and index cards."""

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import ACCENTS, BLACK, CREAMS, WHITE, mix_colours, pick_ground, pick_ink
from safety_core.small.rendering.drawings import (
    draw_bar_code,
    draw_chip,
    draw_icon,
    draw_portrait,
    draw_square_code,
)
from safety_core.small.rendering.finishing import mount_sheet
from safety_core.small.rendering.grounds import paint_flat, paint_gradient, paint_paper, paint_wood
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.placing import Box, draw_frame, fill_box, frame_sheet, place_text, split_title
from safety_core.small.rendering.typography.symbols import Rgb
from safety_core.small.rendering.typography.typesetting import Align

CARD_SHAPE = 1.58

PASTELS: tuple[Rgb, ...] = (
    (220, 232, 240), (236, 224, 226), (226, 238, 222), (240, 234, 214), (228, 222, 240), (214, 234, 232),
)  # fmt: skip


def paint_guilloche(job: Job, size: tuple[int, int], colour: Rgb) -> Image.Image:
    """Paint the fine waves of an official card."""
    rng = job.rng
    sheet = paint_gradient(size, colour, mix_colours(colour, rng.choice(ACCENTS), 0.14), upright=rng.random() < 0.5)
    pen = ImageDraw.Draw(sheet)
    faint = mix_colours(colour, rng.choice(ACCENTS), 0.16)
    reach = rng.uniform(0.4, 1.2) * size[1]
    for number in range(rng.randint(6, 14)):
        radius = reach * (0.3 + number * 0.12)
        x, y = size[0] * rng.uniform(0.3, 0.7), size[1] * rng.uniform(0.3, 0.9)
        pen.ellipse((x - radius * 1.6, y - radius, x + radius * 1.6, y + radius), outline=faint)
    return sheet


def round_and_mount(job: Job, sheet: Image.Image) -> Image.Image:
    """Cut the corners round and show the card on a table, in a scan or over the photograph."""
    rng = job.rng
    mask = Image.new("L", sheet.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, sheet.width - 1, sheet.height - 1), sheet.height * 0.06, fill=255)
    sheet.putalpha(mask)
    around = job.surround(sheet.size, least=0.08, most=0.45)
    match rng.randrange(3):
        case 0:
            ground = paint_wood(rng, around)
        case 1:
            ground = paint_flat(around, rng.choice(((246, 246, 246), (60, 62, 66), (200, 204, 210))))
        case _:
            ground = job.paint_photograph(around)
    return mount_sheet(rng, sheet, ground, tilt=6, bend=0.02)


def draw_identity_card(job: Job) -> Image.Image:
    """Draw an official card: fine waves, a portrait without a face, the text beside it."""
    rng = job.rng
    size = job.choose_size(CARD_SHAPE, low=480, high=860, mounted=True)
    sheet = paint_guilloche(job, size, rng.choice(PASTELS))
    title, rest = split_title(job.text)
    band = rng.random() < 0.6
    colour = pick_ground(rng, dark=1) if band else BLACK
    top = Box(0, 0, size[0], size[1] * 0.2)
    box = Box(0, 0, *size).shrink(size[0] * 0.04, size[1] * 0.06)
    if rest:
        if band:
            fill_box(sheet, top, colour)
        head = job.choose_style(
            "sans", "condensed", "serif", colour=pick_ink(rng, colour, least=6) if band else (20, 40, 90)
        )
        place_text(
            job,
            sheet,
            title,
            head,
            top.shrink(size[0] * 0.04, size[1] * 0.025),
            largest=size[1] * 0.1,
            upright="middle",
        )
        box = box._replace(top=top.bottom + size[1] * 0.04)
    left = rng.random() < 0.7
    wide = box.height * 0.62
    picture = (
        Box(box.left, box.top, box.left + wide, box.top + wide * 1.25)
        if left
        else Box(box.right - wide, box.top, box.right, box.top + wide * 1.25)
    )
    draw_portrait(sheet, rng, picture)
    free = (
        box._replace(left=picture.right + size[0] * 0.03) if left else box._replace(right=picture.left - size[0] * 0.03)
    )
    style = job.choose_style("sans", "condensed", "mono", colour=(24, 28, 36))
    place_text(job, sheet, rest or title, style, free, largest=size[1] * 0.085)
    return round_and_mount(job, sheet)


def draw_bank_card(job: Job) -> Image.Image:
    """Draw a payment or membership card with a chip."""
    rng = job.rng
    size = job.choose_size(CARD_SHAPE, low=480, high=860, mounted=True)
    ground = pick_ground(rng, dark=0.8)
    sheet = paint_gradient(size, ground, mix_colours(ground, rng.choice(ACCENTS), 0.35), upright=False)
    ground = mix_colours(ground, rng.choice(ACCENTS), 0.12)
    pen = ImageDraw.Draw(sheet)
    wave = mix_colours(ground, WHITE, 0.08)
    pen.ellipse((size[0] * 0.4, size[1] * 0.3, size[0] * 1.5, size[1] * 1.8), fill=wave)
    ink = pick_ink(rng, wave, least=4.5) if sum(ground) > 380 else WHITE
    title, rest = split_title(job.text)
    box = Box(0, 0, *size).shrink(size[0] * 0.06, size[1] * 0.08)
    head = job.choose_style("sans", "rounded", "slab", colour=ink)
    used = place_text(
        job,
        sheet,
        title,
        head,
        box._replace(bottom=box.top + box.height * (0.28 if rest else 0.9)),
        largest=size[1] * 0.11,
    )
    if rest:
        chip = Box(box.left, used.bottom + 8, box.left + size[0] * 0.11, used.bottom + 8 + size[1] * 0.13)
        draw_chip(sheet, chip)
        style = job.choose_style("mono", "sans", "condensed", colour=ink)
        place_text(job, sheet, rest, style, box._replace(top=chip.bottom + 10), largest=size[1] * 0.1, upright="bottom")
    return round_and_mount(job, sheet)


def draw_business_card(job: Job) -> Image.Image:
    """Draw a business or index card."""
    rng = job.rng
    size = job.choose_size(1.7, 1.4, low=420, high=780, mounted=True)
    ground = rng.choice((*CREAMS, WHITE, pick_ground(rng)))
    sheet = paint_paper(rng, size, ground)
    ink = pick_ink(rng, ground, least=6)
    if rng.random() < 0.5:
        fill_box(sheet, Box(0, 0, size[0] * 0.03, size[1]), rng.choice(ACCENTS))
    title, rest = split_title(job.text)
    align: Align = rng.choice(("left", "centre"))
    box = frame_sheet(sheet, 0.12)
    head = job.choose_style("serif", "sans", "script", "slab", colour=ink, align=align)
    used = place_text(
        job,
        sheet,
        title,
        head,
        box._replace(bottom=box.top + box.height * (0.45 if rest else 1)),
        largest=size[1] * 0.15,
        upright="top" if rest else "middle",
    )
    if rest:
        body = job.choose_style("sans", "serif", "condensed", colour=ink, align=align, leading=1.4)
        place_text(job, sheet, rest, body, box._replace(top=used.bottom + 10), largest=size[1] * 0.08)
    return round_and_mount(job, sheet)


def draw_greeting_card(job: Job) -> Image.Image:
    """Draw a greeting or invitation card with a border of dots."""
    rng = job.rng
    size = job.choose_size(0.75, 1.3, 1.0, low=400, high=760)
    ground = rng.choice((*CREAMS, *PASTELS))
    sheet = paint_paper(rng, size, ground)
    pen = ImageDraw.Draw(sheet)
    colours = rng.sample(ACCENTS, 3)
    for number in range(0, 2 * (size[0] + size[1]), 34):
        colour = colours[number // 34 % 3]
        if number < 2 * size[0]:
            x, y = number % size[0], 14 if number < size[0] else size[1] - 14
        else:
            along = number - 2 * size[0]
            x, y = 14 if along < size[1] else size[0] - 14, along % size[1]
        pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill=colour)
    style = job.choose_style(
        "script", "hand", "serif", "rounded", colour=pick_ink(rng, ground, least=6), align="centre", balanced=True
    )
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.13), largest=size[1] * 0.12, upright="middle")
    return sheet


def draw_badge(job: Job) -> Image.Image:
    """Draw an upright badge with a portrait above the text; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.66, low=560, high=900, mounted=True)
    ground = rng.choice((WHITE, *PASTELS))
    sheet = paint_guilloche(job, size, ground)
    accent = pick_ground(rng, dark=1)
    fill_box(sheet, Box(0, 0, size[0], size[1] * 0.12), accent)
    fill_box(sheet, Box(size[0] * 0.42, size[1] * 0.03, size[0] * 0.58, size[1] * 0.06), WHITE, 8)
    wide = size[0] * 0.36
    draw_portrait(
        sheet, rng, Box((size[0] - wide) / 2, size[1] * 0.15, (size[0] + wide) / 2, size[1] * 0.15 + wide * 1.2)
    )
    style = job.choose_style("sans", "condensed", "serif", colour=(24, 28, 36), align="centre")
    box = Box(size[0] * 0.06, size[1] * 0.17 + wide * 1.2, size[0] * 0.94, size[1] * 0.9)
    used = place_text(job, sheet, job.text, style, box, largest=size[1] * 0.055)
    draw_bar_code(sheet, rng, Box(size[0] * 0.15, max(used.bottom + 6, size[1] * 0.92), size[0] * 0.85, size[1] * 0.98))
    return round_and_mount(job, sheet)


def draw_pass(job: Job) -> Image.Image:
    """Draw a pass on a phone with a square code; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.7, 1.3, low=520, high=860)
    sheet = paint_flat(size, (20, 22, 28))
    colour = pick_ground(rng)
    card = frame_sheet(sheet, 0.05)
    fill_box(sheet, card, colour, 20)
    ink = pick_ink(rng, colour, least=6)
    side = min(card.width * 0.32, card.height * 0.26)
    code = Box(card.right - side - 24, card.bottom - side - 24, card.right - 24, card.bottom - 24)
    fill_box(sheet, code.shrink(-8), WHITE, 6)
    draw_square_code(sheet, rng, code)
    draw_icon(sheet, rng, card.left + 24, card.bottom - side, side * 0.4, ink)
    style = job.choose_style("sans", "rounded", "mono", colour=ink)
    place_text(job, sheet, job.text, style, card.shrink(24)._replace(bottom=code.top - 20), largest=size[1] * 0.07)
    draw_frame(sheet, card, mix_colours(colour, WHITE, 0.3), 2, 20)
    return sheet
