"""Layouts of printed and filled-in pages; one is reserved for tests."""

from dataclasses import replace

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import ACCENTS, CREAMS, INKS, WHITE, pick_ground, pick_ink
from safety_core.small.rendering.documents.contents.document import Document
from safety_core.small.rendering.documents.fields import draw_fields, draw_rows
from safety_core.small.rendering.documents.stamping import DARKISH, choose_fields, stamp_document
from safety_core.small.rendering.drawings import (
    draw_signature,
)
from safety_core.small.rendering.grounds import paint_flat, paint_paper
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.layouts.papers import lay_on_table
from safety_core.small.rendering.placing import Box, draw_frame, fill_box, frame_sheet, place_text
from safety_core.small.rendering.typography.typesetting import Style


def _draw_body(job: Job, sheet: Image.Image, document: Document, box: Box, *, columns: int, hand: Style | None) -> None:
    """Draw fields, rows and sentences below each other."""
    rng = job.rng
    y = box.top
    if document.fields:
        style = choose_fields(job, stacked=columns > 1, columns=columns)
        if hand is not None:
            style = replace(style, value=hand, lined=True, gap=0.6)
        y = (
            draw_fields(job, sheet, document.fields, style, box._replace(top=y), largest=sheet.height * 0.032)
            + sheet.height * 0.03
        )
    if document.rows:
        row = job.choose_style("sans", "mono", "condensed", colour=DARKISH)
        y = (
            draw_rows(
                job, sheet, document.rows, row, box._replace(top=y), largest=sheet.height * 0.028, rule=(186, 190, 196)
            )
            + sheet.height * 0.03
        )
    if document.sentences:
        body = hand if hand is not None else job.choose_style("serif", "sans", "mono", colour=DARKISH, leading=1.45)
        text = "\n".join(document.sentences)
        used = place_text(job, sheet, text, body, box._replace(top=y), largest=sheet.height * 0.034)
        y = used.bottom + 10
    if box.bottom - y > 70 and not document.blank and rng.random() < 0.7:
        draw_signature(sheet, rng, Box(box.left, y + 12, box.left + box.width * 0.3, y + 56), rng.choice(INKS))


def draw_sheet(job: Job, document: Document) -> Image.Image:
    """Draw a printed page with a letterhead, scanned or lying on a table."""
    rng = job.rng
    lying = rng.random() < 0.5
    size = job.choose_size(0.72, 0.8, 1.0, low=660, high=980, mounted=lying)
    sheet = paint_paper(rng, size, rng.choice((*CREAMS, WHITE)))
    box = frame_sheet(sheet, 0.08)
    accent = pick_ground(rng, dark=1)
    head = job.choose_style("sans", "serif", "slab", "condensed", colour=accent, align=rng.choice(("left", "centre")))
    title = "\n".join(filter(None, (document.issuer, document.title)))
    if title:
        used = place_text(
            job, sheet, title, head, box._replace(bottom=box.top + box.height * 0.22), largest=size[1] * 0.05
        )
        ImageDraw.Draw(sheet).line((box.left, used.bottom + 8, box.right, used.bottom + 8), fill=accent, width=3)
        box = box._replace(top=used.bottom + size[1] * 0.04)
    written = document.kind in ("prescription", "form") or rng.random() < 0.12
    hand = job.choose_style("hand", colour=rng.choice(INKS), leading=1.3) if written else None
    _draw_body(job, sheet, document, box, columns=1 if hand else rng.choice((1, 1, 2)), hand=hand)
    stamp_document(job, sheet, document)
    return lay_on_table(job, sheet, tilt=5) if lying else sheet


def draw_band_sheet(job: Job, document: Document) -> Image.Image:
    """Draw a page with its title in a band of colour and its fields in boxes."""
    rng = job.rng
    size = job.choose_size(0.75, 1.0, 1.3, low=660, high=980)
    sheet = paint_flat(size, rng.choice((WHITE, (250, 250, 252), (252, 248, 240))))
    accent = pick_ground(rng, dark=1)
    top = Box(0, 0, size[0], size[1] * 0.13)
    fill_box(sheet, top, accent)
    head = job.choose_style("sans", "condensed", "rounded", colour=pick_ink(rng, accent, least=6))
    title = "  ".join(filter(None, (document.issuer, document.title))) or "Notice"
    place_text(
        job, sheet, title, head, top.shrink(size[0] * 0.05, size[1] * 0.02), largest=size[1] * 0.06, upright="middle"
    )
    box = Box(0, top.bottom, *size).shrink(size[0] * 0.06, size[1] * 0.04)
    if document.fields:
        style = choose_fields(job, stacked=True, columns=2)
        value = job.choose_style("hand", colour=rng.choice(INKS)) if document.kind == "form" else style.value
        style = replace(style, value=value, boxed=True, gap=0.5)
        y = draw_fields(job, sheet, document.fields, style, box, largest=size[1] * 0.032)
        box = box._replace(top=y + size[1] * 0.03)
    _draw_body(job, sheet, replace(document, fields=()), box, columns=1, hand=None)
    stamp_document(job, sheet, document)
    return sheet


def draw_grid_sheet(job: Job, document: Document) -> Image.Image:
    """Draw a page divided by a heavy frame and a margin of colour; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.75, 1.1, low=660, high=980)
    sheet = paint_paper(rng, size, (250, 249, 246))
    fill_box(sheet, Box(0, 0, size[0] * 0.04, size[1]), rng.choice(ACCENTS))
    box = Box(size[0] * 0.08, size[1] * 0.05, size[0] * 0.95, size[1] * 0.96)
    draw_frame(sheet, box, DARKISH, 3)
    box = box.shrink(size[0] * 0.03)
    head = job.choose_style("slab", "serif", "sans", colour=DARKISH, align="right")
    title = "\n".join(filter(None, (document.title, document.issuer)))
    if title:
        used = place_text(
            job, sheet, title, head, box._replace(bottom=box.top + box.height * 0.2), largest=size[1] * 0.045
        )
        box = box._replace(top=used.bottom + size[1] * 0.03)
    written = document.kind in ("prescription", "form")
    hand = job.choose_style("hand", colour=rng.choice(INKS)) if written else None
    _draw_body(job, sheet, document, box, columns=1, hand=hand)
    stamp_document(job, sheet, document)
    return sheet
