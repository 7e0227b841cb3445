"""Lists all texts of a request's lettering that the safety head judges: by picture, all pictures together, with words.

Knows no tokens; a function splits texts that are too long for the head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product

from safety_core.errors import PromptError
from safety_core.lettering.assembly import Assembler, Form, Variant
from safety_core.lettering.bounded_reader import PictureReading, ViewReading
from safety_core.lettering.framing import frame_lettering
from safety_core.lettering.reading_order import Row, order_across, order_by_columns

Split = Callable[[str, float], Sequence[str]]
"""Splits a text into parts of at most a share of the head's longest input; most texts are returned whole."""

_LETTERING_SHARE, _PROMPT_SHARE = 0.5, 0.4
"""Shares of the head's longest input for lettering and for words that are judged together; the frame takes the rest."""

_ALONE_SHARE = 0.9

_MAX_COMBINATIONS = 256
"""Maximum number of ways to choose one view of each picture: eight transparent pictures with two readings each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetteringSource:
    """Origin of one text."""

    images: tuple[int, ...]
    """Indices of the pictures that contain the lettering, in the request."""

    joint: bool = False
    """Whether the lettering of all these pictures was joined to one text; otherwise each of them contains all of it."""

    with_prompt: bool = False
    """Whether the text also contains the user's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetteringText:
    """One text of lettering that the safety head judges."""

    text: str
    """The text with its frame, if it has one."""

    source: LetteringSource
    """Where the lettering is from."""


def list_lettering_texts(
    readings: Sequence[PictureReading], prompts: Sequence[str], assembler: Assembler, split: Split
) -> list[LetteringText]:
    """List the texts; none if no picture has lettering.

    Args:
        readings: the pictures of the request, in order.
        prompts: the user's words, in all forms in which they are judged together with lettering.
        assembler: lists the variants of lettering.
        split: splits texts that are too long.

    Raises:
        PromptError: too many transparent pictures have other lettering on black than on white.
    """
    sources: dict[Variant, LetteringSource] = {}
    lettered = [index for index, reading in enumerate(readings) if reading.lines]
    for index in lettered:
        for view in readings[index].views:
            for variant in assembler.list_variants(*_order_view(view)):
                known = sources.get(variant, LetteringSource(images=()))
                sources[variant] = LetteringSource(images=tuple(dict.fromkeys((*known.images, index))))
    if len(lettered) > 1:  # words may be spread over several pictures
        for rows in _combine_views([readings[index] for index in lettered]):
            for variant in assembler.list_variants(rows, with_parts=False):
                sources.setdefault(variant, LetteringSource(images=tuple(lettered), joint=True))
    texts: dict[str, LetteringText] = {}
    for variant, source in sources.items():
        for part in split(variant.text, _ALONE_SHARE):
            alone = ((Form.FRAMED, frame_lettering(part)), (Form.BARE, part))
            for text in (text for form, text in alone if form in variant.forms):
                texts.setdefault(text, LetteringText(text=text, source=source))
        if Form.WITH_PROMPT not in variant.forms:
            continue
        for prompt in dict.fromkeys(filter(str.strip, prompts)):
            for part in split(variant.text, _LETTERING_SHARE):
                for words in split(prompt, _PROMPT_SHARE):
                    text = frame_lettering(part, words)
                    texts.setdefault(text, LetteringText(text=text, source=replace(source, with_prompt=True)))
    return list(texts.values())


def _combine_views(readings: Sequence[PictureReading]) -> list[list[str]]:
    """Join the rows of all pictures in order, for every choice of one view with lettering of each picture.

    Raises:
        PromptError: there are too many choices.
    """
    views = [[_order_view(view)[0] for view in reading.views if view.lines] for reading in readings]
    if math.prod(map(len, views)) > _MAX_COMBINATIONS:
        raise PromptError(
            "Too many transparent images have lettering that depends on the background.",
            code="lettering_too_long",
            param="image",
        )
    return [list(chain.from_iterable(choice)) for choice in product(*views)]


def _order_view(view: ViewReading) -> tuple[list[str], list[str]]:
    """Order the lines of a view to rows: by columns, and across columns if that order differs."""
    by_columns = _join_rows(order_by_columns(view.lines, aspect=view.aspect))
    across = _join_rows(order_across(view.lines, aspect=view.aspect))
    return by_columns, [] if " ".join(across) == " ".join(by_columns) else across


def _join_rows(rows: Sequence[Row]) -> list[str]:
    return [" ".join(line.text for line in row) for row in rows]
