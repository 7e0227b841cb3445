"""Draws labelled fields, rows of tables and sentences of a document into a box, all at one size."""

from dataclasses import dataclass, replace

from PIL import Image, ImageDraw

from safety_core.small.rendering.colours import mix_colours
from safety_core.small.rendering.documents.contents.document import Field
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.placing import Box, place_block
from safety_core.small.rendering.typography.symbols import Rgb
from safety_core.small.rendering.typography.typesetting import Block, DoesNotFit, Style, set_block


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldStyle:
    """How fields are set."""

    label: Style
    value: Style

    stacked: bool = False
    """Whether a value stands below its label, not beside it."""

    columns: int = 1

    gap: float = 0.35
    """Distance of two fields as a multiple of the size."""

    lined: bool = False
    """Whether values stand on lines or, where they are empty, only the lines."""

    boxed: bool = False
    """Whether values stand in boxes."""


@dataclass(frozen=True, slots=True)
class _SetField:
    """One field at a size; offsets are from its upper left corner."""

    label: Block | None
    value: Block | None
    value_x: float
    value_y: float
    height: float


def draw_fields(
    job: Job, sheet: Image.Image, fields: tuple[Field, ...], style: FieldStyle, box: Box, *, largest: float
) -> float:
    """Draw fields as large as fits; returns the bottom of the last.

    Raises:
        DoesNotFit: they do not fit at the smallest legible size.
    """
    smallest = max(job.find_smallest(style.label), job.find_smallest(style.value))
    for px in range(max(smallest, round(largest)), smallest - 1, -1):
        placed = _place_fields(fields, style, box, px)
        if placed is not None:
            job.note_size(style.value, px)
            return _draw_placed(sheet, placed, style, px)
    raise DoesNotFit


def _place_fields(
    fields: tuple[Field, ...], style: FieldStyle, box: Box, px: int
) -> list[tuple[Box, _SetField]] | None:
    """Place fields in columns; None if they do not fit."""
    wide = (box.width - (style.columns - 1) * px) / style.columns
    y = [box.top] * style.columns
    placed = []
    for number, field in enumerate(fields):
        column = number % style.columns
        done = _set_field(field, style, wide, px)
        if done is None:
            return None
        left = box.left + column * (wide + px)
        placed.append((Box(left, y[column], left + wide, y[column] + done.height), done))
        y[column] += done.height + px * style.gap
        if column == style.columns - 1:
            y = [max(y)] * style.columns
    return placed if max(box_.bottom for box_, _ in placed) <= box.bottom else None


def _set_field(field: Field, style: FieldStyle, width: float, px: int) -> _SetField | None:
    """Set one field; None if it is too wide."""
    text = f"{field.label}:" if field.label and not style.stacked else field.label
    label = set_block(text, style.label, px, width) if text else None
    if text and label is None:
        return None
    if style.stacked or label is None:
        x, y = 0.0, (label.line_height if label else 0) * 1.0
    else:
        x, y = label.width + px * 0.5, 0.0
    value = set_block(field.value, style.value, px, width - x, break_words=x == 0) if field.value else None
    if field.value and (value is None or (len(value.lines) > 2 and not style.stacked)):
        if style.stacked:
            return None
        x, y = px * 1.0, float(label.line_height if label else 0)
        value = set_block(field.value, style.value, px, width - x, break_words=True)
        if value is None:
            return None
    pad = px * 0.25 if style.boxed else 0.0
    high = max(label.height if label else 0.0, y + (value.height if value else px * 1.2) + 2 * pad)
    return _SetField(label, value, x, y, high)


def _draw_placed(sheet: Image.Image, placed: list[tuple[Box, _SetField]], style: FieldStyle, px: int) -> float:
    """Draw placed fields; returns the bottom of the last."""
    pen = ImageDraw.Draw(sheet)
    grey = mix_colours(style.label.colour, (160, 164, 170), 0.5)
    for box, field in placed:
        left, top = box.left + field.value_x, box.top + field.value_y
        if style.boxed:
            pen.rectangle((left, top, box.right, box.bottom), fill=(255, 255, 255), outline=grey)
        elif style.lined:
            pen.line((left, box.bottom, box.right, box.bottom), fill=grey)
        if field.label is not None:
            place_block(sheet, field.label, box)
        if field.value is not None:
            inset = px * 0.25 if style.boxed else 0.0
            place_block(sheet, field.value, Box(left + 1.5 * inset, top + inset, box.right, box.bottom))
    return max(box.bottom for box, _ in placed)


def draw_rows(
    job: Job,
    sheet: Image.Image,
    rows: tuple[tuple[str, str], ...],
    style: Style,
    box: Box,
    *,
    largest: float,
    rule: Rgb,
) -> float:
    """Draw a table of two columns with rules; returns its bottom.

    Raises:
        DoesNotFit: it is too long at the smallest legible size.
    """
    smallest = job.find_smallest(style)
    px = min(max(smallest, round(largest)), max(smallest, int(box.height / len(rows) / 1.7)))
    pitch = px * 1.65
    if pitch * len(rows) > box.height:
        raise DoesNotFit
    job.note_size(style, px)
    pen = ImageDraw.Draw(sheet)
    for number, (what, value) in enumerate(rows):
        y = box.top + number * pitch
        pen.line((box.left, y, box.right, y), fill=rule)
        right = set_block(value, replace(style, align="right"), px, box.width * 0.45)
        left = set_block(what, style, px, box.width - 12 - (right.width if right else 0.0))
        if left is None or right is None or len(left.lines) > 1:
            raise DoesNotFit
        row = Box(box.left + 4, y + px * 0.2, box.right - 4, y + pitch)
        place_block(sheet, left, row)
        place_block(sheet, right, row)
    bottom = box.top + pitch * len(rows)
    pen.line((box.left, bottom, box.right, bottom), fill=rule)
    return bottom
