"""Layouts of screenshots: dialogs, web pages, posts, search, apps on phones, editors and terminals."""

from dataclasses import replace
from random import Random

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import ACCENTS, BLACK, WHITE, mix_colours, pick_ground, pick_ink
from safety_core.small.rendering.drawings import (
    draw_avatar,
    draw_blank_lines,
    draw_icon,
    draw_window,
)
from safety_core.small.rendering.grounds import SHORTEST, paint_flat, paint_gradient
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.placing import Box, fill_box, frame_sheet, place_block, place_text, split_title
from safety_core.small.rendering.typography.symbols import Rgb
from safety_core.small.rendering.typography.typesetting import draw_line, measure_width

BUTTONS = ("OK", "Cancel", "Close", "Save", "Continue", "Back", "Retry", "Done", "Next", "Help")
NAMES = ("Ada", "Milan", "Noor", "Keiko", "Pavel", "Ines", "Tomas", "Lena", "Sam", "Ravi", "Greta", "Olu")
TIMES = ("2m", "14 min", "3h", "1 d", "9:41", "17:05", "08:12", "22:30")

LIGHT: tuple[Rgb, Rgb, Rgb] = (WHITE, (26, 28, 32), (226, 229, 234))
DUSK: tuple[Rgb, Rgb, Rgb] = ((24, 27, 34), (232, 234, 238), (44, 49, 60))
SEPIA: tuple[Rgb, Rgb, Rgb] = ((246, 242, 232), (52, 44, 36), (222, 214, 196))
NIGHT: tuple[Rgb, Rgb, Rgb] = ((10, 12, 16), (214, 220, 228), (30, 34, 42))


def _pick_theme(rng: Random) -> tuple[Rgb, Rgb, Rgb]:
    """Page, ink and panel of a user interface."""
    return rng.choice((LIGHT, LIGHT, DUSK, SEPIA, NIGHT))


def draw_words(job: Job, image: Image.Image, text: str, x: float, y: float, px: int, colour: Rgb) -> float:
    """Draw a few words of the interface itself; returns the x of their end."""
    style = job.choose_style("sans", "rounded", colour=colour)
    return draw_line(image, text, style, px, x, y)


def _draw_button(job: Job, image: Image.Image, right: float, bottom: float, px: int, colour: Rgb) -> float:
    """Draw a button with its lower right corner at a point; returns its left side."""
    style = job.choose_style("sans", "rounded", colour=pick_ink(job.rng, colour, least=4.5))
    word = job.rng.choice(BUTTONS)
    width = measure_width(style.face, style.weight, px, word) + px * 2
    fill_box(image, Box(right - width, bottom - px * 2, right, bottom), colour, px * 0.4)
    draw_line(image, word, style, px, right - width + px, bottom - px * 1.6)
    return right - width


def crop_below(job: Job, sheet: Image.Image, bottom: float) -> Image.Image:
    """Cut off most of what is empty below a text, in two of three pictures."""
    if job.rng.random() < 0.33:
        return sheet
    high = round(bottom + job.rng.uniform(0.04, 0.25) * sheet.height)
    return sheet.crop((0, 0, sheet.width, min(sheet.height, max(SHORTEST, high))))


def draw_dialog(job: Job) -> Image.Image:
    """Draw a message window with an icon and buttons over an empty desktop."""
    rng = job.rng
    size = job.choose_size(1.5, 1.78, 1.25, low=480, high=860)
    page, ink, panel = _pick_theme(rng)
    ground = pick_ground(rng, dark=0.7)
    sheet = paint_gradient(size, ground, mix_colours(ground, BLACK, 0.35))
    style = job.choose_style("sans", "rounded", "condensed", colour=ink)
    block = job.fit(job.text, style, size[0] * 0.62, size[1] * 0.5, largest=size[1] * 0.06)
    px = max(15, min(20, block.px))
    wide = max(block.width + 120, px * 16)
    high = block.height + 34 + px * 4 + 40
    left, top = (size[0] - wide) / 2, max(4.0, (size[1] - high) / 2)
    inner = draw_window(sheet, rng, Box(left, top, left + wide, min(size[1] - 4, top + high)), bar=panel, page=page)
    draw_icon(sheet, rng, inner.left + 20, inner.top + 22, 40, rng.choice(ACCENTS))
    place_block(sheet, block, Box(inner.left + 84, inner.top + 20, inner.right - 20, inner.bottom))
    x = _draw_button(job, sheet, inner.right - 16, inner.bottom - 14, px, rng.choice(ACCENTS))
    if rng.random() < 0.6:
        _draw_button(job, sheet, x - 12, inner.bottom - 14, px, panel)
    return sheet


def draw_web_page(job: Job) -> Image.Image:
    """Draw a browser with an address bar, a heading and lines of something else."""
    rng = job.rng
    size = job.choose_size(1.4, 1.1, 0.8, low=520, high=900)
    page, ink, panel = _pick_theme(rng)
    sheet = paint_flat(size, page)
    inner = draw_window(sheet, rng, Box(0, 0, size[0] - 1, size[1] - 1), bar=panel, page=page)
    fill_box(sheet, Box(inner.left, inner.top, inner.right, inner.top + 40), mix_colours(panel, page, 0.5))
    fill_box(sheet, Box(inner.left + 90, inner.top + 6, inner.right - 60, inner.top + 34), page, 14)
    for number in range(3):
        draw_icon(sheet, rng, inner.left + 12 + number * 26, inner.top + 12, 16, mix_colours(ink, page, 0.3))
    body = inner.cut(left=size[0] * 0.06, right=size[0] * 0.06, top=56, bottom=12)
    title, rest = split_title(job.text)
    head = job.choose_style("sans", "serif", "slab", colour=rng.choice((ink, pick_ink(rng, page, least=5))))
    style = job.choose_style("sans", "serif", colour=ink)
    used = place_text(
        job,
        sheet,
        title,
        head,
        body._replace(bottom=body.top + body.height * (0.5 if rest else 0.8)),
        largest=size[1] * 0.085,
    )
    if rest:
        used = place_text(job, sheet, rest, style, body._replace(top=used.bottom + 10), largest=size[1] * 0.05)
    below = body._replace(top=used.bottom + 20)
    if job.photograph is not None and below.height > 130 and rng.random() < 0.6:
        photo = job.paint_photograph((round(min(below.width, below.height * 1.6)), round(below.height - 4)))
        sheet.paste(photo, (round(below.left), round(below.top)))
    else:
        draw_blank_lines(sheet, rng, below, panel, 26)
    return sheet


def draw_post(job: Job) -> Image.Image:
    """Draw a post of a social network with a round picture, a name and icons below."""
    rng = job.rng
    size = job.choose_size(1.2, 1.0, 0.8, 1.6, low=440, high=820)
    page, ink, panel = _pick_theme(rng)
    sheet = paint_flat(size, mix_colours(panel, page, 0.5))
    card = frame_sheet(sheet, 0.035)
    fill_box(sheet, card, page, 14, panel)
    px = max(15, round(size[1] * 0.032))
    grey = mix_colours(ink, page, 0.4)
    draw_avatar(sheet, rng, card.left + 18, card.top + 16, px * 2.6)
    x = card.left + 30 + px * 2.6
    draw_words(job, sheet, rng.choice(NAMES), x, card.top + 14, px, ink)
    draw_words(job, sheet, rng.choice(TIMES), x, card.top + 16 + px * 1.35, px, grey)
    body = card.cut(left=20, right=20, top=28 + px * 3, bottom=px * 3)
    style = job.choose_style("sans", "rounded", "serif", colour=ink)
    used = place_text(job, sheet, job.text, style, body, largest=size[1] * 0.075)
    free = body.bottom - used.bottom - 12
    if job.photograph is not None and free > 110:
        sheet.paste(job.paint_photograph((round(body.width), round(free))), (round(body.left), round(used.bottom + 10)))
    for number in range(4):
        draw_icon(sheet, rng, card.left + 24 + number * card.width / 4.4, card.bottom - px * 2.1, px * 1.3, grey)
    return sheet


def draw_search(job: Job) -> Image.Image:
    """Draw a search or prompt field that holds the text, with grey results below."""
    rng = job.rng
    size = job.choose_size(1.5, 1.1, 0.75, low=480, high=860)
    page, ink, panel = _pick_theme(rng)
    sheet = paint_flat(size, page)
    style = job.choose_style("sans", "rounded", "condensed", colour=ink)
    margin = size[0] * 0.06
    block = job.fit(job.text, style, size[0] - 2 * margin - 90, size[1] * 0.7, largest=size[1] * 0.065)
    high = block.height + block.px * 1.0
    top = size[1] * rng.uniform(0.06, 0.15)
    field = Box(margin, top, size[0] - margin, top + high)
    fill_box(sheet, field, mix_colours(page, WHITE, 0.5), min(26, high / 2), mix_colours(ink, page, 0.55))
    icon = min(26.0, block.px * 1.0)
    draw_icon(sheet, rng, field.left + 18, field.top + block.px * 0.6, icon, mix_colours(ink, page, 0.35))
    draw_icon(sheet, rng, field.right - 18 - icon, field.top + block.px * 0.6, icon, rng.choice(ACCENTS))
    place_block(sheet, block, Box(field.left + 52, field.top + block.px * 0.4, field.right - 44, field.bottom))
    y = field.bottom + 26
    while y + 60 < size[1]:
        draw_blank_lines(sheet, rng, Box(margin, y, size[0] * 0.6, y + 24), mix_colours(ACCENTS[2], page, 0.6), 24)
        draw_blank_lines(sheet, rng, Box(margin, y + 24, size[0] - margin, y + 58), panel, 17)
        y += 84
    return sheet


def draw_phone_app(job: Job) -> Image.Image:
    """Draw an app on a phone: a bar at the top, the text on a card, icons at the bottom."""
    rng = job.rng
    size = job.choose_size(0.56, 0.62, low=600, high=960)
    page, ink, panel = _pick_theme(rng)
    bar = rng.choice((*ACCENTS, panel))
    sheet = paint_flat(size, mix_colours(page, panel, 0.35))
    px = max(16, round(size[0] * 0.045))
    top = px * 3.4
    fill_box(sheet, Box(0, 0, size[0], top), bar)
    bar_ink = pick_ink(rng, bar, least=4.5)
    draw_words(job, sheet, rng.choice(TIMES[4:]), px, px * 0.3, 15, bar_ink)
    draw_icon(sheet, rng, px, px * 1.7, px * 1.2, bar_ink)
    draw_icon(sheet, rng, size[0] - px * 2.2, px * 1.7, px * 1.2, bar_ink)
    bottom = size[1] - px * 3.2
    fill_box(sheet, Box(0, bottom, size[0], size[1]), page)
    for number in range(4):
        colour = rng.choice(ACCENTS) if number == 0 else mix_colours(ink, page, 0.45)
        draw_icon(sheet, rng, size[0] * (0.08 + 0.24 * number), bottom + px * 0.9, px * 1.4, colour)
    card = Box(px, top + px, size[0] - px, bottom - px)
    style = job.choose_style("sans", "rounded", "condensed", colour=ink)
    block = job.fit(job.text, style, card.width - 2 * px, card.height - 2 * px, largest=size[1] * 0.05)
    shown = card._replace(bottom=card.top + block.height + 2 * px)
    fill_box(sheet, shown, page, 16)
    place_block(sheet, block, shown.shrink(px))
    y = shown.bottom + px
    if job.photograph is not None and card.bottom - y > 120:
        sheet.paste(
            job.paint_photograph((round(card.width), round(min(card.bottom - y, card.width)))),
            (round(card.left), round(y)),
        )
    elif card.bottom - y > 90:
        fill_box(sheet, Box(card.left, y, card.right, card.bottom), page, 16)
        draw_blank_lines(sheet, rng, Box(card.left, y, card.right, card.bottom).shrink(px), panel, 28)
    return sheet


def draw_settings(job: Job) -> Image.Image:
    """Draw a list of settings, one row a line, with switches; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.75, 1.2, low=480, high=900)
    page, ink, panel = _pick_theme(rng)
    sheet = paint_flat(size, panel)
    style = job.choose_style("sans", "rounded", colour=ink)
    rows = [line for line in job.text.split("\n") if line.strip()] or [job.text]
    side = frame_sheet(sheet, 0.05)
    room = side.height / len(rows) - 10
    y = side.top
    for row in rows:
        block = job.fit(row, style, side.width - 120, room - 16, largest=size[1] * 0.05)
        high = block.height + 24
        fill_box(sheet, Box(side.left, y, side.right, y + high), page, 10)
        place_block(sheet, block, Box(side.left + 18, y + 12, side.right - 90, y + high))
        on = rng.random() < 0.5
        knob = Box(side.right - 66, y + high / 2 - 13, side.right - 18, y + high / 2 + 13)
        fill_box(sheet, knob, (60, 180, 110) if on else mix_colours(ink, page, 0.6), 13)
        x = knob.right - 13 if on else knob.left + 13
        ImageDraw.Draw(sheet).ellipse((x - 10, knob.top + 3, x + 10, knob.bottom - 3), fill=WHITE)
        y += high + 10
    return sheet


def draw_assistant(job: Job) -> Image.Image:
    """Draw a page of a chat assistant: the text as a question, grey lines as the answer; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.3, 0.8, low=520, high=900)
    page, ink, panel = _pick_theme(rng)
    sheet = paint_flat(size, page)
    side = size[0] * 0.16 if size[0] > size[1] else 0
    fill_box(sheet, Box(0, 0, side, size[1]), panel)
    for number in range(6 if side else 0):
        draw_blank_lines(
            sheet, rng, Box(14, 30 + 40 * number, side - 14, 50 + 40 * number), mix_colours(panel, ink, 0.2), 20
        )
    body = Box(side + 24, 24, size[0] - 24, size[1] - 24)
    style = job.choose_style("sans", "serif", colour=ink)
    block = job.fit(job.text, style, body.width * 0.82 - 32, body.height * 0.8, largest=size[1] * 0.055)
    bubble = Box(body.right - block.width - 32, body.top, body.right, body.top + block.height + 26)
    fill_box(sheet, bubble, panel, 16)
    place_block(sheet, block, bubble.shrink(16, 12))
    if body.bottom - bubble.bottom > 90:
        draw_avatar(sheet, rng, body.left, bubble.bottom + 20, 34)
        draw_blank_lines(sheet, rng, body.cut(left=50, top=bubble.bottom - body.top + 26, bottom=50), panel, 28)
    return sheet


TERMINALS: tuple[tuple[Rgb, Rgb], ...] = (
    ((12, 12, 14), (204, 208, 204)),
    ((0, 0, 0), (70, 220, 100)),
    ((40, 42, 54), (240, 240, 232)),
    ((0, 43, 54), (170, 190, 190)),
    ((253, 250, 240), (60, 66, 72)),
    ((48, 10, 36), (238, 236, 232)),
)


def draw_terminal(job: Job) -> Image.Image:
    """Draw a terminal, with or without the frame of its window."""
    rng = job.rng
    size = job.choose_size(1.6, 1.3, low=480, high=900)
    page, ink = rng.choice(TERMINALS)
    sheet = paint_flat(size, page)
    box = Box(0, 0, size[0] - 1, size[1] - 1)
    if rng.random() < 0.7:
        box = draw_window(sheet, rng, box, bar=rng.choice(((70, 72, 78), (222, 222, 224))), page=page)
    style = job.choose_style("mono", colour=ink, leading=1.3)
    used = place_text(
        job, sheet, job.text, style, box.shrink(size[0] * 0.03), largest=size[1] * rng.uniform(0.045, 0.08)
    )
    return crop_below(job, sheet, used.bottom)


def draw_editor(job: Job) -> Image.Image:
    """Draw an editor with numbered lines and coloured words."""
    rng = job.rng
    size = job.choose_size(1.5, 1.2, low=480, high=900)
    page, ink = rng.choice(TERMINALS)
    sheet = paint_flat(size, page)
    gutter = size[0] * 0.08
    box = Box(gutter, size[1] * 0.05, size[0] * 0.97, size[1] * 0.97)
    style = job.choose_style("mono", colour=ink, leading=1.4)
    block = job.fit(job.text, style, box.width, box.height, largest=size[1] * rng.uniform(0.045, 0.075))
    grey = mix_colours(ink, page, 0.55)
    colours = (ink, mix_colours(ink, rng.choice(ACCENTS), 0.3), mix_colours(ink, rng.choice(ACCENTS), 0.3))
    for number, line in enumerate(block.lines):
        y = box.top + number * block.line_height
        faint = replace(style, colour=grey)
        draw_line(sheet, str(number + 1), faint, max(13, round(block.px * 0.8)), gutter * 0.2, y)
        shown = replace(style, colour=colours[number % 3 if line.indent == 0 else 0])
        draw_line(sheet, line.text, shown, block.px, box.left + line.indent, y)
    ImageDraw.Draw(sheet).line((gutter * 0.82, 0, gutter * 0.82, size[1]), fill=mix_colours(ink, page, 0.75), width=2)
    return crop_below(job, sheet, box.top + block.height)


def draw_notebook_cell(job: Job) -> Image.Image:
    """Draw a cell of a computing notebook; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.7, 1.2, low=480, high=900)
    sheet = paint_flat(size, WHITE)
    style = job.choose_style("mono", colour=(30, 34, 40), leading=1.35)
    block = job.fit(job.text, style, size[0] * 0.82, size[1] * 0.8, largest=size[1] * 0.06)
    box = Box(size[0] * 0.1, size[1] * 0.06, size[0] * 0.97, size[1] * 0.06 + block.height + 24)
    fill_box(sheet, box, (245, 246, 248), 4, (206, 210, 216))
    fill_box(sheet, Box(box.left - 8, box.top, box.left - 2, box.bottom), rng.choice(ACCENTS))
    place_block(sheet, block, box.shrink(14, 12))
    draw_blank_lines(sheet, rng, Box(box.left, box.bottom + 24, box.right, size[1] - 10), (236, 238, 240), 26)
    return sheet
