"""Layouts of forms: printed or on a screen, with written answers and empty fields."""

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import ACCENTS, CREAMS, INKS, WHITE, mix_colours, pick_ink
from safety_core.small.rendering.grounds import paint_flat, paint_paper, paint_wood
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.placing import Box, draw_frame, fill_box, frame_sheet, place_block


def draw_form(job: Job) -> Image.Image:
    """Draw a form: printed labels with hand-written answers on lines or in boxes."""
    rng = job.rng
    size = job.choose_size(0.75, 0.9, 1.2, low=480, high=880)
    sheet = paint_paper(rng, size, rng.choice((*CREAMS, WHITE)))
    box = frame_sheet(sheet, 0.07)
    lines = job.text.split("\n")
    label = job.choose_style("sans", "serif", "condensed", colour=(40, 44, 52))
    hand = job.choose_style("hand", colour=rng.choice(INKS))
    boxed = rng.random() < 0.5
    y = box.top
    room = box.height / max(1, len(lines))
    for line in lines:
        name, mark, answer = line.partition(":")
        if not mark or len(name) > 34 or not answer.strip():
            block = job.fit(line, label, box.width, room * 0.9, largest=size[1] * 0.045)
            place_block(sheet, block, Box(box.left, y, box.right, y + room))
            y += block.height + size[1] * 0.025
            continue
        first = job.fit(name + mark, label, box.width * 0.42, room * 0.9, largest=size[1] * 0.034)
        second = job.fit(answer.strip(), hand, box.width * 0.96 - first.width - 24, room * 0.9, largest=size[1] * 0.05)
        high = max(first.height, second.height) + 8
        place_block(sheet, first, Box(box.left, y, box.right, y + high), "middle")
        field = Box(box.left + first.width + 14, y, box.right, y + high)
        if boxed:
            fill_box(sheet, field, (255, 255, 255), 2, (150, 156, 166))
        else:
            ImageDraw.Draw(sheet).line((field.left, y + high, field.right, y + high), fill=(120, 124, 130))
        place_block(sheet, second, field.cut(left=8), "middle")
        y += high + size[1] * 0.02
    _draw_empty_fields(job, sheet, Box(box.left, y + 8, box.right, box.bottom))
    return sheet


def _draw_empty_fields(job: Job, sheet: Image.Image, box: Box) -> None:
    """Fill the rest of a form with empty fields and tick boxes."""
    pen = ImageDraw.Draw(sheet)
    y = box.top
    while y + 34 < box.bottom:
        if job.rng.random() < 0.5:
            pen.line((box.left, y + 26, box.left + box.width * job.rng.uniform(0.4, 1), y + 26), fill=(170, 174, 180))
        else:
            for number in range(3):
                pen.rectangle(
                    (box.left + number * 90, y + 8, box.left + number * 90 + 18, y + 26), outline=(140, 144, 150)
                )
        y += 44


def draw_clip_form(job: Job) -> Image.Image:
    """Draw a form on a clipboard with ruled boxes; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.72, 0.85, low=520, high=900)
    sheet = paint_wood(rng, size)
    page = frame_sheet(sheet, 0.06).cut(top=size[1] * 0.03)
    fill_box(sheet, page, (253, 253, 251))
    fill_box(sheet, Box(size[0] * 0.36, size[1] * 0.015, size[0] * 0.64, size[1] * 0.09), (150, 154, 160), 10)
    box = page.shrink(size[0] * 0.05).cut(top=size[1] * 0.03)
    lines = job.text.split("\n")
    room = box.height / len(lines)
    style = job.choose_style("sans", "serif", colour=(30, 34, 40))
    hand = job.choose_style("hand", colour=rng.choice(INKS))
    y = box.top
    for line in lines:
        name, mark, answer = line.partition(":")
        written = bool(mark and answer.strip() and len(name) < 30)
        block = job.fit(
            name + mark if written else line,
            style,
            box.width - 20,
            room * 0.5 if written else room - 16,
            largest=size[1] * 0.032,
        )
        filled = job.fit(answer.strip(), hand, box.width - 30, room * 0.6, largest=size[1] * 0.045) if written else None
        high = block.height + (filled.height if filled else 0) + 12
        draw_frame(sheet, Box(box.left, y, box.right, y + high), (140, 146, 154), 1)
        place_block(sheet, block, Box(box.left + 10, y + 4, box.right, y + high))
        if filled is not None:
            place_block(sheet, filled, Box(box.left + 20, y + block.height + 4, box.right, y + high))
        y += high
    _draw_empty_fields(job, sheet, Box(box.left, y + 8, box.right, box.bottom))
    return sheet


def draw_web_form(job: Job) -> Image.Image:
    """Draw a form on a screen with rounded fields and a button."""
    rng = job.rng
    size = job.choose_size(0.85, 1.2, low=480, high=860)
    ground = rng.choice(((244, 246, 250), WHITE, (30, 33, 40)))
    ink = pick_ink(rng, ground, least=8)
    sheet = paint_flat(size, ground)
    box = frame_sheet(sheet, 0.07)
    lines = job.text.split("\n")
    room = (box.height - 40) / len(lines)
    style = job.choose_style("sans", "rounded", colour=ink)
    y = box.top
    for line in lines:
        name, mark, answer = line.partition(":")
        if mark and answer.strip():
            first = job.fit(name, style, box.width, room * 0.4, largest=size[1] * 0.03)
            second = job.fit(answer.strip(), style, box.width - 24, room * 0.5, largest=size[1] * 0.036)
            place_block(sheet, first, Box(box.left, y, box.right, y + room))
            y += first.height + 2
            field = Box(box.left, y, box.right, y + second.height + 8)
            fill_box(sheet, field, mix_colours(ground, ink, 0.06), 8, mix_colours(ground, ink, 0.3))
            place_block(sheet, second, field.shrink(12, 4))
            y = field.bottom + 8
        else:
            block = job.fit(line, style, box.width, room - 8, largest=size[1] * 0.05)
            place_block(sheet, block, Box(box.left, y, box.right, y + room))
            y += block.height + 10
    while y + 90 < size[1] and rng.random() < 0.75:
        fill_box(
            sheet,
            Box(box.left, y + 4, box.right, y + 36),
            mix_colours(ground, ink, 0.04),
            8,
            mix_colours(ground, ink, 0.3),
        )
        y += 50
    if y + 40 < size[1]:
        fill_box(sheet, Box(box.left, y + 4, box.left + box.width * 0.3, y + 36), rng.choice(ACCENTS), 8)
    return sheet
