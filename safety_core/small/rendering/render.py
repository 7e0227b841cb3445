"""Renders a text as a picture of some kind: the entry of the package."""

from random import Random

from PIL import Image

from safety_core.errors import InputError
from safety_core.small.rendering.finishing import Finish, finish_picture, reduce_picture
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.kinds import KINDS, Kind, Split
from safety_core.small.rendering.layouts.table import list_layouts
from safety_core.small.rendering.typography.typesetting import DoesNotFit

GROWTHS = (1.0, 1.0, 1.35, 1.8, 2.6, 4.0)
"""Factors of the usual size of a picture, tried one after the other."""

LONGEST_TEXT = 4000
"""Most characters of a text; most kinds hold about 1,200."""

_REDUCED = 0.4
"""Share of the pictures that are made smaller after drawing."""

_REDUCED_CAPITAL = 12.5
"""Lowest capital in them in pixels: a little more than elsewhere, since reducing blurs."""


def render_lettering(
    text: str, *, kind: Kind, seed: int, photograph: Image.Image | None = None, split: Split = "train"
) -> Image.Image:
    """Render a text as it stands in real pictures.

    The picture depends on text, kind, seed, split and photograph only. Capitals are at least 11 pixels high, and more
    in large pictures.

    Args:
        text: what is to be read; line feeds are kept, points of numbered lists may be empty.
        kind: what it stands on.
        seed: chooses layout, faces, colours, size and finish.
        photograph: picture that it may stand on or beside; a made-up one takes its place where a layout needs one.
        split: ``test`` uses layouts and faces that no other split uses.

    Returns:
        RGB, with sides of 224 to 1280 pixels.

    Raises:
        InputError: the kind is unknown, the text is blank, or too long to be legible in a picture.
        ConfigError: a package with fonts is not installed.
    """
    if kind not in KINDS:
        raise InputError(f"kind: {kind!r} is not one of {', '.join(KINDS)}", code="lettering_kind", param="kind")
    if not text.strip():
        raise InputError("text: it is blank", code="lettering_blank", param="text")
    if len(text) > LONGEST_TEXT:
        raise _create_length_error(text, kind)
    test = split == "test"
    layouts = list_layouts(kind, test=test)
    for attempt, growth in enumerate(GROWTHS):
        rng = Random(f"{seed}/{attempt}/{kind}/{test}")
        layout = layouts[(seed + (attempt if attempt > 1 else 0)) % len(layouts)]
        job = Job(text=text.strip("\n"), rng=rng, test=test, photograph=photograph, growth=growth)
        try:
            sheet = layout.draw(job)
        except DoesNotFit:
            continue
        return finish_job(job, sheet, layout.finish)
    raise _create_length_error(text, kind)


def _create_length_error(text: str, kind: Kind) -> InputError:
    """Create the error of a text that is too long."""
    message = f"text: {len(text)} characters are too many for a picture of kind {kind!r}"
    return InputError(message, code="lettering_too_long", param="text")


def finish_job(job: Job, sheet: Image.Image, finish: Finish) -> Image.Image:
    """Make some drawn sheets smaller, and add the traces of a camera, a scanner or a capture."""
    picture = sheet.convert("RGB")
    if job.rng.random() < _REDUCED:
        picture = reduce_picture(job.rng, picture, _REDUCED_CAPITAL / job.lowest_capital)
    return finish_picture(job.rng, picture, finish)
