"""Layouts of lists, menus and receipts."""

from dataclasses import replace

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import (
    ACCENTS,
    BLACK,
    CREAMS,
    INKS,
    WHITE,
    mix_colours,
    pick_ground,
    pick_ink,
)
from safety_core.small.rendering.drawings import draw_bar_code, draw_square_code, stain_sheet
from safety_core.small.rendering.finishing import mount_sheet
from safety_core.small.rendering.grounds import paint_board, paint_flat, paint_paper, paint_wood, rule_paper
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.layouts.papers import PAGE_SHAPES, lay_on_table
from safety_core.small.rendering.placing import (
    Box,
    draw_frame,
    fill_box,
    frame_sheet,
    place_block,
    place_text,
    split_title,
)
from safety_core.small.rendering.typography.typesetting import Align


def draw_paper_list(job: Job) -> Image.Image:
    """Draw a hand-written list on ruled paper, its title underlined."""
    rng = job.rng
    size = job.choose_size(*PAGE_SHAPES, low=420, high=820)
    sheet = paint_paper(rng, size, rng.choice((*CREAMS, (255, 244, 170))))
    style = job.choose_style("hand", colour=rng.choice(INKS), leading=1.35)
    left, top = size[0] * 0.12, size[1] * 0.07
    block = job.fit(
        job.text, style, size[0] * 0.94 - left, size[1] * 0.9 - top, largest=size[1] * rng.uniform(0.05, 0.09)
    )
    if rng.random() < 0.7:
        rule_paper(sheet, rng, block.line_height, top=round(top + block.px * 1.02) % block.line_height)
    used = place_block(sheet, block, Box(left, top, size[0] * 0.94, size[1]))
    if rng.random() < 0.5 and "\n" in job.text:
        y = used.top + block.px * 1.12
        ImageDraw.Draw(sheet).line((left, y, left + size[0] * 0.5, y - 2), fill=style.colour, width=2)
    return lay_on_table(job, sheet, tilt=5) if rng.random() < 0.3 and max(size) < 950 else sheet


def draw_typed_list(job: Job) -> Image.Image:
    """Draw a numbered list in type: title in bold, points below."""
    rng = job.rng
    size = job.choose_size(1.0, 0.8, 1.3, low=360, high=820)
    ground = rng.choice((WHITE, WHITE, *CREAMS, pick_ground(rng)))
    sheet = paint_flat(size, ground)
    ink = pick_ink(rng, ground, least=6)
    title, rest = split_title(job.text)
    box = frame_sheet(sheet, rng.uniform(0.06, 0.12))
    head = job.choose_style("sans", "serif", "slab", "condensed", colour=ink)
    used = place_text(
        job,
        sheet,
        title,
        head,
        box._replace(bottom=box.top + box.height * (0.4 if rest else 1)),
        largest=size[1] * 0.09,
    )
    if rest:
        same = replace(head, weight=head.face.weights[0], leading=1.5)
        body = same if rng.random() < 0.5 else job.choose_style("sans", "serif", colour=ink, leading=1.5)
        place_text(job, sheet, rest, body, box._replace(top=used.bottom + size[1] * 0.02), largest=size[1] * 0.075)
    return sheet


def draw_check_list(job: Job) -> Image.Image:
    """Draw a card with a coloured head and a tick box before each line."""
    rng = job.rng
    size = job.choose_size(0.75, 0.9, low=420, high=820)
    ground = pick_ground(rng, dark=0.6)
    sheet = paint_flat(size, ground)
    card = frame_sheet(sheet, 0.06)
    fill_box(sheet, card, (253, 253, 250), 18)
    title, rest = split_title(job.text)
    head = job.choose_style("rounded", "display", "hand", "sans", colour=pick_ink(rng, (253, 253, 250), least=5))
    box = card.shrink(size[0] * 0.06)
    used = place_text(
        job,
        sheet,
        title,
        head,
        box._replace(bottom=box.top + box.height * (0.4 if rest else 0.9)),
        largest=size[1] * 0.085,
    )
    if rest:
        marked = "\n".join(
            line if not line or line[:1].isdigit() or line[:1] in "-•*□☐" else "□ " + line for line in rest.split("\n")
        )
        body = job.choose_style("sans", "rounded", "hand", colour=(40, 42, 46), leading=1.5)
        place_text(job, sheet, marked, body, box._replace(top=used.bottom + size[1] * 0.03), largest=size[1] * 0.065)
    return sheet


def draw_board_list(job: Job) -> Image.Image:
    """Draw a list on a board or a sheet pinned to it; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.2, 0.85, low=440, high=840)
    if rng.random() < 0.5:
        sheet = paint_board(rng, size, chalk=True)
        style = job.choose_style("hand", "rounded", colour=(244, 242, 232), leading=1.4)
        place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.09), largest=size[1] * 0.1)
        return sheet
    sheet = paint_paper(rng, size, (198, 158, 110))
    page = frame_sheet(sheet, 0.07)
    fill_box(sheet, page, (252, 252, 248))
    pen = ImageDraw.Draw(sheet)
    pen.ellipse((size[0] / 2 - 9, page.top - 4, size[0] / 2 + 9, page.top + 14), fill=(200, 40, 40))
    style = job.choose_style("slab", "sans", "hand", colour=(30, 30, 34), leading=1.45)
    place_text(job, sheet, job.text, style, page.shrink(size[0] * 0.06), largest=size[1] * 0.08)
    return sheet


def draw_table_list(job: Job) -> Image.Image:
    """Draw a table with one row a line; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.3, 0.9, low=440, high=840)
    sheet = paint_flat(size, WHITE)
    lines = [line for line in job.text.split("\n") if line.strip()] or [job.text]
    box = frame_sheet(sheet, 0.05)
    accent = rng.choice(ACCENTS)
    style = job.choose_style("sans", "condensed", "serif", colour=(30, 32, 36))
    room = box.height / len(lines)
    y = box.top
    for number, line in enumerate(lines):
        head = number == 0 and len(lines) > 1
        shown = replace(style, colour=pick_ink(rng, accent, least=4.5)) if head else style
        block = job.fit(line, shown, box.width - 28, room - 14, largest=size[1] * 0.065)
        row = Box(box.left, y, box.right, y + block.height + 14)
        fill_box(sheet, row, accent if head else (WHITE, (242, 244, 247))[number % 2], outline=(206, 210, 216))
        place_block(sheet, block, Box(box.left + 14, y + 7, box.right - 14, row.bottom))
        y = row.bottom
    return sheet


def draw_restaurant_menu(job: Job) -> Image.Image:
    """Draw a menu with a decorated frame and a centred title."""
    rng = job.rng
    size = job.choose_size(0.7, 0.8, 1.2, low=440, high=860)
    ground = rng.choice((*CREAMS, (34, 30, 28), (26, 52, 46)))
    sheet = paint_paper(rng, size, ground)
    ink = pick_ink(rng, ground, least=6)
    for margin in (0.03, 0.045):
        draw_frame(sheet, frame_sheet(sheet, margin), mix_colours(ink, ground, 0.3), 1 + (margin < 0.04))
    box = frame_sheet(sheet, 0.11)
    title, rest = split_title(job.text)
    align: Align = rng.choice(("centre", "centre", "left"))
    head = job.choose_style("script", "serif", "display", colour=ink, align="centre", balanced=True)
    used = place_text(
        job,
        sheet,
        title,
        head,
        box._replace(bottom=box.top + box.height * (0.4 if rest else 1)),
        largest=size[1] * 0.1,
        upright="top" if rest else "middle",
    )
    if rest:
        body = job.choose_style("serif", "sans", "condensed", colour=ink, align=align, leading=1.6)
        place_text(job, sheet, rest, body, box._replace(top=used.bottom + size[1] * 0.03), largest=size[1] * 0.06)
    return sheet


def draw_chalk_menu(job: Job) -> Image.Image:
    """Draw a menu written on a blackboard with a wooden frame."""
    rng = job.rng
    size = job.choose_size(0.75, 1.2, low=440, high=860)
    sheet = paint_wood(rng, size)
    inner = frame_sheet(sheet, 0.05)
    board = paint_board(rng, (round(inner.width), round(inner.height)), chalk=True)
    sheet.paste(board, (round(inner.left), round(inner.top)))
    style = job.choose_style(
        "hand",
        "script",
        "rounded",
        colour=rng.choice(((244, 242, 232), (250, 220, 130))),
        align=rng.choice(("centre", "left")),
        leading=1.4,
    )
    place_text(job, sheet, job.text, style, inner.shrink(size[0] * 0.05), largest=size[1] * 0.09)
    return sheet


def draw_photo_menu(job: Job) -> Image.Image:
    """Draw a menu of a snack bar: photograph above, prices in a band; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.75, 1.4, low=460, high=860)
    sheet = paint_flat(size, rng.choice(((140, 24, 28), (24, 60, 50), (250, 244, 230))))
    ground = sheet.getpixel((0, 0))
    assert isinstance(ground, tuple)
    high = round(size[1] * 0.32)
    sheet.paste(job.paint_photograph((size[0], high)), (0, 0))
    style = job.choose_style(
        "condensed", "display", "slab", colour=pick_ink(rng, (ground[0], ground[1], ground[2]), least=7), leading=1.35
    )
    box = Box(0, high, *size).shrink(size[0] * 0.06, size[1] * 0.03)
    place_text(job, sheet, job.text, style, box, largest=size[1] * 0.08)
    return sheet


def _draw_slip(job: Job, size: tuple[int, int], ground: tuple[int, int, int]) -> Image.Image:
    """Draw a strip of printed paper, as long as its text, with a bar code or cells at its end."""
    rng = job.rng
    sheet = paint_paper(rng, size, ground)
    box = frame_sheet(sheet, 0.07)
    style = job.choose_style(
        "mono",
        colour=rng.choice((BLACK, (50, 50, 56), (60, 40, 90))),
        align=rng.choice(("left", "centre")),
        leading=1.3,
    )
    used = place_text(job, sheet, job.text, style, box.cut(bottom=70), largest=size[0] * 0.075)
    end = used.bottom + 16
    if rng.random() < 0.75:
        draw_bar_code(sheet, rng, Box(box.left + box.width * 0.1, end, box.right - box.width * 0.1, end + 40))
    else:
        draw_square_code(sheet, rng, Box(box.left, end, box.left + 64, end + 64))
    return sheet.crop((0, 0, size[0], max(224, min(size[1], round(end + 76)))))


def draw_receipt(job: Job) -> Image.Image:
    """Draw a receipt as it was scanned."""
    size = job.choose_size(0.5, 0.62, low=520, high=960)
    return _draw_slip(job, size, job.rng.choice(((252, 252, 250), (246, 244, 238))))


def draw_receipt_on_table(job: Job) -> Image.Image:
    """Draw a photograph of a receipt on a table."""
    rng = job.rng
    size = job.choose_size(0.55, 0.7, low=520, high=900, mounted=True)
    sheet = _draw_slip(job, size, (250, 249, 245))
    stain_sheet(sheet, rng)
    return lay_on_table(job, sheet, tilt=8)


def draw_ticket(job: Job) -> Image.Image:
    """Draw a ticket with a perforated edge; reserved for tests."""
    rng = job.rng
    size = job.choose_size(2.0, 1.5, low=480, high=860)
    ground = rng.choice(((250, 246, 232), (255, 222, 150), (206, 226, 240)))
    sheet = paint_paper(rng, size, ground)
    pen = ImageDraw.Draw(sheet)
    edge = size[0] * 0.8
    for y in range(6, size[1], 18):
        pen.line((edge, y, edge, y + 9), fill=(120, 116, 108), width=2)
    draw_bar_code(sheet, rng, Box(edge + 16, size[1] * 0.15, size[0] - 14, size[1] * 0.85))
    style = job.choose_style("mono", "condensed", "sans", colour=BLACK, leading=1.35)
    box = Box(0, 0, edge, size[1]).shrink(size[0] * 0.04)
    place_text(job, sheet, job.text, style, box, largest=size[1] * 0.13, upright="middle")
    return sheet


def draw_pinned_list(job: Job) -> Image.Image:
    """Draw a typed list on paper that hangs on a wall or lies on the photograph."""
    rng = job.rng
    size = job.choose_size(0.75, 1.0, low=400, high=760, mounted=True)
    sheet = paint_paper(rng, size, rng.choice(CREAMS))
    style = job.choose_style("sans", "mono", "slab", "hand", colour=(28, 28, 34), leading=1.45)
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.09), largest=size[1] * 0.08)
    around = job.surround(size, least=0.1, most=0.4)
    return mount_sheet(rng, sheet, job.paint_photograph(around), tilt=5)
