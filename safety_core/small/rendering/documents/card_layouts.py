"""Layouts of cards, passports and boarding passes; some are reserved for tests."""

from dataclasses import replace

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import ACCENTS, BLACK, WHITE, mix_colours, pick_ground, pick_ink
from safety_core.small.rendering.documents.contents.document import Document
from safety_core.small.rendering.documents.fields import FieldStyle, draw_fields
from safety_core.small.rendering.documents.stamping import DARKISH, GREY, choose_fields, stamp_document
from safety_core.small.rendering.drawings import (
    draw_bar_code,
    draw_chip,
    draw_portrait,
    draw_signature,
    draw_square_code,
)
from safety_core.small.rendering.finishing import mount_sheet
from safety_core.small.rendering.grounds import paint_flat, paint_gradient, paint_paper, paint_wood
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.layouts.cards import CARD_SHAPE, PASTELS, paint_guilloche, round_and_mount
from safety_core.small.rendering.layouts.papers import lay_on_table
from safety_core.small.rendering.placing import Box, draw_frame, fill_box, frame_sheet, place_text


def draw_portrait_card(job: Job, document: Document) -> Image.Image:
    """Draw a card with a portrait at one side and the fields beside it."""
    rng = job.rng
    size = job.choose_size(CARD_SHAPE, low=560, high=900, mounted=True)
    sheet = paint_guilloche(job, size, rng.choice(PASTELS))
    band = pick_ground(rng, dark=1)
    top = Box(0, 0, size[0], size[1] * 0.17)
    filled = rng.random() < 0.6
    if filled:
        fill_box(sheet, top, band)
    head = job.choose_style(
        "sans", "condensed", "serif", colour=pick_ink(rng, band, least=6) if filled else (20, 40, 90)
    )
    title = " ".join(filter(None, (document.issuer, document.title)))
    place_text(
        job, sheet, title, head, top.shrink(size[0] * 0.04, size[1] * 0.03), largest=size[1] * 0.09, upright="middle"
    )
    box = Box(0, top.bottom, *size).shrink(size[0] * 0.04, size[1] * 0.05)
    wide = size[0] * rng.uniform(0.2, 0.26)
    left = rng.random() < 0.7
    x = box.left if left else box.right - wide
    picture = Box(x, box.top, x + wide, box.top + wide * 1.28)
    if document.blank and rng.random() < 0.5:
        draw_frame(sheet, picture, GREY, 2)
    else:
        draw_portrait(sheet, rng, picture)
    free = (
        box._replace(left=picture.right + size[0] * 0.03) if left else box._replace(right=picture.left - size[0] * 0.03)
    )
    style = choose_fields(job, stacked=rng.random() < 0.4, columns=rng.choice((1, 1, 2)))
    draw_fields(job, sheet, document.fields, style, free, largest=size[1] * 0.075)
    if not document.blank and rng.random() < 0.5:
        draw_signature(
            sheet, rng, Box(picture.left, picture.bottom + 8, picture.right, min(size[1] - 8.0, picture.bottom + 44))
        )
    stamp_document(job, sheet, document)
    return round_and_mount(job, sheet)


def draw_text_card(job: Job, document: Document) -> Image.Image:
    """Draw a card without a portrait: title, fields in two columns, a chip or a bar code."""
    rng = job.rng
    size = job.choose_size(CARD_SHAPE, low=560, high=900, mounted=True)
    ground = rng.choice((*PASTELS, WHITE, pick_ground(rng, dark=0.9)))
    sheet = paint_gradient(size, ground, mix_colours(ground, rng.choice(ACCENTS), 0.12), upright=False)
    ink = pick_ink(rng, ground, least=7)
    box = frame_sheet(sheet, 0.08)
    head = job.choose_style("sans", "slab", "rounded", colour=ink)
    title = " ".join(filter(None, (document.issuer, document.title)))
    used = place_text(job, sheet, title, head, box._replace(bottom=box.top + box.height * 0.3), largest=size[1] * 0.11)
    if rng.random() < 0.5:
        draw_chip(sheet, Box(box.right - size[0] * 0.11, box.bottom - size[1] * 0.14, box.right, box.bottom))
    style = choose_fields(job, stacked=True, columns=2, ink=ink, label=mix_colours(ink, ground, 0.3))
    draw_fields(
        job, sheet, document.fields, style, box._replace(top=used.bottom + size[1] * 0.04), largest=size[1] * 0.075
    )
    stamp_document(job, sheet, document)
    return round_and_mount(job, sheet)


def draw_upright_card(job: Job, document: Document) -> Image.Image:
    """Draw an upright card with a bar code at its end; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.66, low=620, high=940, mounted=True)
    sheet = paint_guilloche(job, size, rng.choice((WHITE, *PASTELS)))
    accent = pick_ground(rng, dark=1)
    fill_box(sheet, Box(0, 0, size[0], size[1] * 0.14), accent)
    head = job.choose_style("sans", "condensed", "slab", colour=pick_ink(rng, accent, least=6), align="centre")
    title = " ".join(filter(None, (document.issuer, document.title)))
    place_text(
        job, sheet, title, head, Box(0, 0, size[0], size[1] * 0.14).shrink(14), largest=size[1] * 0.06, upright="middle"
    )
    top = size[1] * 0.17
    if document.kind != "bank_card":
        wide = size[0] * (0.32 if job.growth < 1.3 else 0.2)
        draw_portrait(sheet, rng, Box((size[0] - wide) / 2, top, (size[0] + wide) / 2, top + wide * 1.2))
        top += wide * 1.3
    box = Box(size[0] * 0.07, top, size[0] * 0.93, size[1] * 0.9)
    draw_fields(
        job,
        sheet,
        document.fields,
        choose_fields(job, stacked=True, columns=1 if job.growth < 1.3 else 2),
        box,
        largest=size[1] * 0.045,
    )
    draw_bar_code(sheet, rng, Box(size[0] * 0.12, size[1] * 0.92, size[0] * 0.88, size[1] * 0.975))
    stamp_document(job, sheet, document)
    return round_and_mount(job, sheet)


def draw_payment_card(job: Job, document: Document) -> Image.Image:
    """Draw the front of a bank card."""
    rng = job.rng
    size = job.choose_size(CARD_SHAPE, low=480, high=860, mounted=True)
    ground = pick_ground(rng, dark=0.85)
    sheet = paint_gradient(size, ground, mix_colours(ground, BLACK, 0.3), upright=rng.random() < 0.5)
    ink = pick_ink(rng, ground, least=6)
    box = frame_sheet(sheet, 0.1)
    head = job.choose_style("sans", "rounded", "slab", "serif", colour=ink, align=rng.choice(("left", "right")))
    used = place_text(
        job, sheet, document.title, head, box._replace(bottom=box.top + box.height * 0.25), largest=size[1] * 0.12
    )
    draw_chip(
        sheet, Box(box.left, used.bottom + size[1] * 0.05, box.left + size[0] * 0.12, used.bottom + size[1] * 0.19)
    )
    low = box._replace(top=used.bottom + size[1] * 0.24)
    number = job.choose_style("mono", "sans", "condensed", colour=ink)
    done = place_text(job, sheet, document.fields[0].value, number, low, largest=size[1] * 0.115)
    rest = replace(number, leading=1.2)
    style = FieldStyle(label=rest, value=rest, columns=1, gap=0.2)
    draw_fields(
        job, sheet, document.fields[1:], style, low._replace(top=done.bottom + size[1] * 0.03), largest=size[1] * 0.075
    )
    stamp_document(job, sheet, document)
    return round_and_mount(job, sheet)


def draw_passport_page(job: Job, document: Document) -> Image.Image:
    """Draw the data page of a passport with its two machine-readable lines."""
    rng = job.rng
    size = job.choose_size(1.4, low=700, high=960, mounted=True)
    sheet = paint_guilloche(job, size, rng.choice(PASTELS))
    box = frame_sheet(sheet, 0.05)
    head = job.choose_style("serif", "sans", colour=rng.choice(((120, 20, 40), (20, 40, 100), DARKISH)))
    title = f"{document.title}   {document.issuer.upper()}"
    used = place_text(
        job, sheet, title, head, box._replace(bottom=box.top + box.height * 0.13), largest=size[1] * 0.065
    )
    code = job.choose_style("mono", colour=DARKISH, leading=1.3)
    lines = "\n".join(document.sentences)
    low = box._replace(top=box.bottom - size[1] * 0.2)
    place_text(job, sheet, lines, code, low, largest=size[1] * 0.07, upright="bottom")
    wide = size[0] * 0.24
    draw_portrait(sheet, rng, Box(box.left, used.bottom + 14, box.left + wide, used.bottom + 14 + wide * 1.25))
    free = Box(box.left + wide + 24, used.bottom + 12, box.right, low.top - 6)
    style = choose_fields(job, stacked=rng.random() < 0.5, columns=rng.choice((1, 2)))
    draw_fields(job, sheet, document.fields, style, free, largest=size[1] * 0.055)
    stamp_document(job, sheet, document)
    return lay_on_table(job, sheet, tilt=4) if rng.random() < 0.7 else sheet


def draw_passport_book(job: Job, document: Document) -> Image.Image:
    """Draw a passport opened upright, an empty page above the data; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.75, low=760, high=960, mounted=True)
    sheet = paint_guilloche(job, size, rng.choice(PASTELS))
    middle = size[1] * 0.34
    ImageDraw.Draw(sheet).line((0, middle, size[0], middle), fill=(120, 116, 110), width=4)
    head = job.choose_style("serif", "slab", colour=(40, 60, 110), align="centre")
    place_text(
        job,
        sheet,
        f"{document.issuer.upper()}\n{document.title}",
        head,
        Box(0, 0, size[0], middle).shrink(30),
        largest=size[1] * 0.07,
        upright="middle",
    )
    box = Box(0, middle, *size).shrink(size[0] * 0.05, size[1] * 0.025)
    wide = size[0] * 0.26
    draw_portrait(sheet, rng, Box(box.right - wide, box.top, box.right, box.top + wide * 1.25))
    code = job.choose_style("mono", colour=DARKISH)
    low = box._replace(top=box.bottom - size[1] * 0.12)
    place_text(job, sheet, "\n".join(document.sentences), code, low, largest=size[1] * 0.05, upright="bottom")
    draw_fields(
        job,
        sheet,
        document.fields,
        choose_fields(job, stacked=False),
        Box(box.left, box.top, box.right - wide - 16, low.top - 6),
        largest=size[1] * 0.04,
    )
    stamp_document(job, sheet, document)
    return lay_on_table(job, sheet, tilt=4)


def draw_pass_strip(job: Job, document: Document) -> Image.Image:
    """Draw a boarding pass with a stub, a bar code and columns of fields."""
    rng = job.rng
    size = job.choose_size(2.2, 1.9, low=700, high=980, mounted=True)
    sheet = paint_paper(rng, size, rng.choice((WHITE, (250, 246, 236))))
    accent = pick_ground(rng, dark=1)
    top = Box(0, 0, size[0], size[1] * 0.18)
    fill_box(sheet, top, accent)
    head = job.choose_style("sans", "condensed", colour=pick_ink(rng, accent, least=6))
    place_text(
        job,
        sheet,
        document.title,
        head,
        top.shrink(size[0] * 0.03, size[1] * 0.03),
        largest=size[1] * 0.12,
        upright="middle",
    )
    edge = size[0] * 0.8
    for y in range(round(top.bottom) + 4, size[1], 16):
        ImageDraw.Draw(sheet).line((edge, y, edge, y + 8), fill=GREY, width=2)
    draw_bar_code(sheet, rng, Box(edge + 20, top.bottom + 16, size[0] - 18, size[1] - 20))
    box = Box(0, top.bottom, edge, size[1]).shrink(size[0] * 0.025, size[1] * 0.05)
    draw_fields(job, sheet, document.fields, choose_fields(job, stacked=True, columns=3), box, largest=size[1] * 0.08)
    stamp_document(job, sheet, document)
    around = job.surround(size, least=0.08, most=0.4)
    ground = job.paint_photograph(around) if job.photograph else paint_wood(rng, around)
    return mount_sheet(rng, sheet, ground, tilt=5)


def draw_pass_screen(job: Job, document: Document) -> Image.Image:
    """Draw a boarding pass on a phone; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.66, low=700, high=960)
    sheet = paint_flat(size, (16, 18, 24))
    card = frame_sheet(sheet, 0.05)
    colour = pick_ground(rng)
    fill_box(sheet, card, colour, 22)
    ink = pick_ink(rng, colour, least=6)
    head = job.choose_style("sans", "rounded", colour=ink)
    used = place_text(
        job, sheet, document.title, head, card.shrink(26)._replace(bottom=card.top + 100), largest=size[1] * 0.045
    )
    side = card.width * 0.4
    code = Box((size[0] - side) / 2, card.bottom - side - 26, (size[0] + side) / 2, card.bottom - 26)
    fill_box(sheet, code.shrink(-10), WHITE, 8)
    draw_square_code(sheet, rng, code)
    style = choose_fields(job, stacked=True, columns=2, ink=ink, label=mix_colours(ink, colour, 0.25))
    draw_fields(
        job,
        sheet,
        document.fields,
        style,
        Box(card.left + 26, used.bottom + 20, card.right - 26, code.top - 24),
        largest=size[1] * 0.036,
    )
    return sheet
