"""Layouts of papers to read: letters, handwriting, books and newspapers."""

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import ACCENTS, BLACK, CREAMS, INKS, WHITE, mix_colours, pick_ink
from safety_core.small.rendering.drawings import (
    draw_blank_lines,
    draw_signature,
    stain_sheet,
)
from safety_core.small.rendering.finishing import mount_sheet
from safety_core.small.rendering.grounds import paint_board, paint_flat, paint_paper, paint_wood, rule_paper
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.placing import (
    Box,
    draw_frame,
    fill_box,
    frame_sheet,
    place_block,
    place_text,
    split_title,
)

PAGE_SHAPES = (0.72, 0.8, 1.0)


def lay_on_table(job: Job, sheet: Image.Image, *, tilt: float = 6) -> Image.Image:
    """Lay a sheet on a table or over the photograph."""
    around = job.surround(sheet.size, least=0.08, most=0.35)
    ground = (
        job.paint_photograph(around)
        if job.photograph is not None and job.rng.random() < 0.5
        else paint_wood(job.rng, around)
    )
    return mount_sheet(job.rng, sheet, ground, tilt=tilt, bend=0.02)


def draw_typed_letter(job: Job) -> Image.Image:
    """Draw a typed letter with a coloured letterhead that says nothing."""
    rng = job.rng
    size = job.choose_size(*PAGE_SHAPES, low=480, high=900)
    sheet = paint_paper(rng, size, rng.choice(CREAMS))
    box = frame_sheet(sheet, 0.1)
    if rng.random() < 0.6:
        accent = rng.choice(ACCENTS)
        fill_box(
            sheet, Box(box.left, box.top - 18, box.left + box.width * rng.choice((0.18, 1.0)), box.top - 8), accent
        )
    style = job.choose_style("serif", "mono", "sans", colour=rng.choice((BLACK, (36, 36, 44))), leading=1.4)
    used = place_text(job, sheet, job.text, style, box, largest=size[1] * rng.uniform(0.036, 0.065))
    if box.bottom - used.bottom > 60 and rng.random() < 0.6:
        draw_signature(
            sheet, rng, Box(box.left, used.bottom + 16, box.left + box.width * 0.4, used.bottom + 50), rng.choice(INKS)
        )
    return sheet


def draw_letter_on_table(job: Job) -> Image.Image:
    """Draw a photograph of a typed or hand-written letter with its folds."""
    rng = job.rng
    size = job.choose_size(0.72, 0.85, low=500, high=900, mounted=True)
    sheet = paint_paper(rng, size, rng.choice(CREAMS))
    style = job.choose_style("serif", "mono", "hand", colour=rng.choice(INKS), leading=1.4)
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.1), largest=size[1] * rng.uniform(0.04, 0.07))
    stain_sheet(sheet, rng)
    return lay_on_table(job, sheet)


def draw_envelope(job: Job) -> Image.Image:
    """Draw a letter in a window below an airmail border; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.5, 1.2, low=480, high=860)
    sheet = paint_paper(rng, size, rng.choice(CREAMS))
    pen = ImageDraw.Draw(sheet)
    for number in range(0, size[0], 40):
        colour = ((200, 50, 50), WHITE, (40, 80, 160), WHITE)[number // 40 % 4]
        for y in (0, size[1] - 14):
            pen.polygon([(number, y), (number + 26, y), (number + 14, y + 14), (number - 12, y + 14)], fill=colour)
    style = job.choose_style("hand", "serif", "slab", colour=rng.choice(INKS), leading=1.4)
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.12), largest=size[1] * 0.07, upright="middle")
    return sheet


def draw_ruled_note(job: Job) -> Image.Image:
    """Draw handwriting on the lines of ruled or squared paper."""
    rng = job.rng
    size = job.choose_size(*PAGE_SHAPES, low=440, high=860)
    sheet = paint_paper(rng, size, rng.choice(CREAMS))
    style = job.choose_style("hand", colour=rng.choice(INKS), leading=1.35)
    left = size[0] * 0.12
    top = size[1] * 0.08
    block = job.fit(
        job.text, style, size[0] * 0.94 - left, size[1] * 0.88 - top, largest=size[1] * rng.uniform(0.05, 0.085)
    )
    squared = rng.random() < 0.3
    pitch = max(14, block.line_height // 2) if squared else block.line_height
    rule_paper(sheet, rng, pitch, squared=squared, top=round(top + block.px * 1.02) % pitch)
    place_block(sheet, block, Box(left, top, size[0] * 0.94, size[1]))
    return lay_on_table(job, sheet, tilt=4) if rng.random() < 0.3 and max(size) < 950 else sheet


def draw_sticky_note(job: Job) -> Image.Image:
    """Draw handwriting on a sticky note."""
    rng = job.rng
    size = job.choose_size(1.0, 1.1, low=300, high=620, mounted=True)
    ground = rng.choice(((255, 240, 130), (255, 200, 214), (190, 235, 190), (180, 220, 250), (255, 214, 150)))
    sheet = paint_paper(rng, size, ground)
    fill_box(sheet, Box(0, 0, size[0], size[1] * 0.1), mix_colours(ground, BLACK, 0.06))
    style = job.choose_style("hand", colour=rng.choice(INKS), align=rng.choice(("left", "centre")))
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.1), largest=size[1] * 0.14, upright="middle")
    around = job.surround(size, least=0.15, most=0.5)
    ground_picture = job.paint_photograph(around) if job.photograph else paint_wood(rng, around)
    return mount_sheet(rng, sheet, ground_picture, tilt=7)


def draw_torn_page(job: Job) -> Image.Image:
    """Draw handwriting on a plain page, coarse and large."""
    rng = job.rng
    size = job.choose_size(1.2, 0.85, low=400, high=780)
    sheet = paint_paper(rng, size, rng.choice((*CREAMS, (206, 176, 130))))
    style = job.choose_style("hand", colour=rng.choice(INKS[:5]), align=rng.choice(("left", "centre")), leading=1.25)
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.08), largest=size[1] * 0.15, upright="middle")
    stain_sheet(sheet, rng)
    return sheet


def draw_whiteboard_note(job: Job) -> Image.Image:
    """Draw handwriting on a whiteboard or blackboard; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.4, 1.0, low=440, high=860)
    chalk = rng.random() < 0.5
    sheet = paint_board(rng, size, chalk=chalk)
    ink = (242, 240, 230) if chalk else rng.choice(((20, 50, 150), (24, 24, 28), (20, 110, 60)))
    style = job.choose_style("hand", colour=ink, leading=1.3)
    used = place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.09), largest=size[1] * 0.12)
    if rng.random() < 0.5:
        pen = ImageDraw.Draw(sheet)
        pen.line((used.left, used.bottom + 4, used.right, used.bottom + 7), fill=ink, width=3)
    return sheet


def draw_book_page(job: Job) -> Image.Image:
    """Draw a page of a book with its text in the middle of grey lines."""
    rng = job.rng
    size = job.choose_size(0.7, 0.8, low=520, high=900)
    page = rng.choice(CREAMS)
    sheet = paint_paper(rng, size, page)
    box = frame_sheet(sheet, 0.12)
    style = job.choose_style("serif", colour=(34, 30, 28), leading=1.5)
    block = job.fit(job.text, style, box.width, box.height, largest=size[1] * rng.uniform(0.028, 0.05))
    grey = mix_colours(page, (90, 86, 80), 0.35)
    free = box.height - block.height
    top = box.top + free * rng.uniform(0, 0.7)
    pitch = block.line_height
    draw_blank_lines(sheet, rng, Box(box.left, box.top, box.right, top - pitch), grey, pitch)
    place_block(sheet, block, box._replace(top=top))
    draw_blank_lines(sheet, rng, box._replace(top=top + block.height + pitch), grey, pitch)
    for number in range(12):
        x = size[0] - 12 + number
        ImageDraw.Draw(sheet).line((x, 0, x, size[1]), fill=mix_colours(page, BLACK, number * 0.03))
    return sheet


def draw_book_cover(job: Job) -> Image.Image:
    """Draw the cover of a book."""
    rng = job.rng
    size = job.choose_size(0.68, 0.75, low=440, high=800)
    ground = rng.choice(((30, 48, 80), (110, 30, 36), (240, 232, 214), (36, 80, 66), (230, 180, 70), (26, 26, 30)))
    sheet = paint_paper(rng, size, ground)
    ink = pick_ink(rng, ground, least=6)
    box = frame_sheet(sheet, 0.09)
    draw_frame(sheet, frame_sheet(sheet, 0.05), ink, 2)
    if job.photograph is not None and rng.random() < 0.6:
        high = round(size[1] * 0.38)
        sheet.paste(
            job.paint_photograph((round(box.width * 0.9), high)),
            (round(box.left + box.width * 0.05), round(box.bottom - high)),
        )
        box = box.cut(bottom=high + 14)
    title, rest = split_title(job.text)
    head = job.choose_style("serif", "display", "slab", "script", colour=ink, align="centre", balanced=True)
    used = place_text(
        job,
        sheet,
        title,
        head,
        box._replace(bottom=box.top + box.height * (0.6 if rest else 1)),
        largest=size[1] * 0.12,
        upright="top" if rest else "middle",
    )
    if rest:
        body = job.choose_style("serif", "sans", colour=ink, align="centre", balanced=True)
        place_text(job, sheet, rest, body, box._replace(top=used.bottom + 16), largest=size[1] * 0.06)
    return sheet


def draw_open_book(job: Job) -> Image.Image:
    """Draw an open book, its text on the right page; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.4, 1.25, low=640, high=1000)
    page = rng.choice(CREAMS)
    sheet = paint_paper(rng, size, page)
    middle = size[0] / 2
    pen = ImageDraw.Draw(sheet)
    for number in range(40):
        shade = mix_colours(page, (60, 54, 46), (40 - number) / 80)
        for x in (middle - number, middle + number):
            pen.line((x, 0, x, size[1]), fill=shade)
    grey = mix_colours(page, (90, 86, 80), 0.35)
    draw_blank_lines(sheet, rng, Box(0, 0, middle, size[1]).shrink(size[0] * 0.06), grey, 26)
    box = Box(middle, 0, *size).shrink(size[0] * 0.05, size[1] * 0.08)
    style = job.choose_style("serif", colour=(34, 30, 28), leading=1.5)
    used = place_text(job, sheet, job.text, style, box, largest=size[1] * 0.05)
    draw_blank_lines(sheet, rng, box._replace(top=used.bottom + 16), grey, 26)
    return sheet


def draw_newspaper(job: Job) -> Image.Image:
    """Draw a headline above columns of grey lines and a photograph."""
    rng = job.rng
    size = job.choose_size(0.8, 1.0, 1.3, low=480, high=900)
    page = rng.choice(((244, 240, 228), (236, 234, 226), (250, 250, 248)))
    sheet = paint_paper(rng, size, page)
    box = frame_sheet(sheet, 0.06)
    title, rest = split_title(job.text)
    head = job.choose_style(
        "serif",
        "condensed",
        "slab",
        "display",
        colour=BLACK,
        align=rng.choice(("left", "centre")),
        leading=1.15,
        balanced=True,
    )
    used = place_text(job, sheet, title, head, box._replace(bottom=box.top + box.height * 0.5), largest=size[1] * 0.12)
    if rest:
        body = job.choose_style("serif", colour=(40, 38, 36))
        used = place_text(
            job,
            sheet,
            rest,
            body,
            box._replace(top=used.bottom + 10, bottom=box.top + box.height * 0.8),
            largest=size[1] * 0.05,
        )
    below = box._replace(top=used.bottom + 16)
    ImageDraw.Draw(sheet).line((box.left, below.top - 8, box.right, below.top - 8), fill=BLACK, width=2)
    if below.height > 140 and (job.photograph is not None or rng.random() < 0.5):
        photo = job.paint_photograph((round(below.width * 0.6), round(below.height)))
        sheet.paste(
            photo.convert("L").convert("RGB") if rng.random() < 0.6 else photo, (round(below.left), round(below.top))
        )
        below = below.cut(left=below.width * 0.64)
    columns = max(1, round(below.width / 190))
    wide = below.width / columns
    for number in range(columns):
        column = Box(below.left + number * wide, below.top, below.left + (number + 1) * wide - 14, below.bottom)
        draw_blank_lines(sheet, rng, column, mix_colours(page, (80, 80, 80), 0.4), 15)
    return sheet


def draw_news_page(job: Job) -> Image.Image:
    """Draw the headline of a news site or a strip of breaking news below a photograph."""
    rng = job.rng
    size = job.choose_size(1.78, 1.33, low=480, high=900)
    sheet = job.paint_photograph(size)
    colour = rng.choice(((180, 16, 24), (12, 44, 110), (20, 20, 24), (245, 245, 245)))
    style = job.choose_style("sans", "condensed", "slab", colour=pick_ink(rng, colour, least=7))
    block = job.fit(job.text, style, size[0] * 0.92, size[1] * 0.6, largest=size[1] * rng.uniform(0.07, 0.1))
    pad = block.px * 0.45
    band = Box(0, size[1] - block.height - 2 * pad - size[1] * 0.04, size[0], size[1] - size[1] * 0.04)
    fill_box(sheet, band, colour)
    fill_box(sheet, band._replace(right=size[0] * 0.015), (255, 200, 40))
    place_block(sheet, block, band.shrink(size[0] * 0.04, pad))
    return sheet


def draw_clipping(job: Job) -> Image.Image:
    """Draw a clipping of a newspaper that lies on a table; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.6, 1.1, low=420, high=760, mounted=True)
    page = rng.choice(((240, 232, 210), (230, 228, 220)))
    sheet = paint_paper(rng, size, page)
    style = job.choose_style("serif", "slab", colour=(30, 28, 26), balanced=True, leading=1.2)
    box = frame_sheet(sheet, 0.07)
    used = place_text(
        job, sheet, job.text, style, box._replace(bottom=box.top + box.height * 0.85), largest=size[1] * 0.15
    )
    draw_blank_lines(sheet, rng, box._replace(top=used.bottom + 12), mix_colours(page, (80, 80, 80), 0.4), 15)
    return lay_on_table(job, sheet, tilt=7)


def draw_post_card(job: Job) -> Image.Image:
    """Draw the back of a postcard: writing at the left, lines and a stamp at the right."""
    rng = job.rng
    size = job.choose_size(1.45, low=560, high=900)
    sheet = paint_paper(rng, size, rng.choice(CREAMS))
    pen = ImageDraw.Draw(sheet)
    middle = size[0] * 0.62
    pen.line((middle, size[1] * 0.08, middle, size[1] * 0.92), fill=(150, 146, 140), width=2)
    for row in range(4):
        y = size[1] * (0.5 + row * 0.1)
        pen.line((middle + 24, y, size[0] - 24, y), fill=(150, 146, 140))
    stamp = Box(size[0] * 0.83, size[1] * 0.07, size[0] * 0.95, size[1] * 0.27)
    sheet.paste(job.paint_photograph((round(stamp.width), round(stamp.height))), (round(stamp.left), round(stamp.top)))
    style = job.choose_style("hand", "script", colour=rng.choice(INKS), leading=1.3)
    place_text(
        job,
        sheet,
        job.text,
        style,
        Box(size[0] * 0.05, size[1] * 0.07, middle - 20, size[1] * 0.93),
        largest=size[1] * 0.085,
    )
    return sheet


def draw_plain_letter(job: Job) -> Image.Image:
    """Draw an e-mail or letter as a scan with a hole punched at its side."""
    rng = job.rng
    size = job.choose_size(0.75, 0.9, low=480, high=860)
    sheet = paint_flat(size, (252, 252, 251))
    pen = ImageDraw.Draw(sheet)
    for y in (0.3, 0.7):
        pen.ellipse((14, size[1] * y - 9, 32, size[1] * y + 9), fill=(200, 200, 198))
    style = job.choose_style("sans", "serif", colour=BLACK, leading=1.45)
    place_text(job, sheet, job.text, style, frame_sheet(sheet, 0.11), largest=size[1] * rng.uniform(0.036, 0.06))
    return sheet
