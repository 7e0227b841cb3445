"""What all documents share: how their fields are set, and the word across one that is nobody's."""

from PIL import Image

from safety_core.small.rendering.colours import BLACK, WHITE
from safety_core.small.rendering.documents.contents.document import Document
from safety_core.small.rendering.documents.fields import FieldStyle
from safety_core.small.rendering.grounds import paint_flat
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.typography.symbols import Rgb
from safety_core.small.rendering.typography.typesetting import draw_block

GREY: Rgb = (92, 98, 108)
DARKISH: Rgb = (24, 28, 36)


def stamp_document(job: Job, sheet: Image.Image, document: Document) -> None:
    """Write SPECIMEN or the like across a document, translucent."""
    if not document.stamp:
        return
    style = job.choose_style("sans", "condensed", colour=WHITE, align="centre")
    block = job.fit(document.stamp, style, sheet.width * 0.8, sheet.height * 0.5, largest=sheet.width * 0.18)
    mask = Image.new("RGB", sheet.size, BLACK)
    draw_block(mask, block, (sheet.width - block.width) / 2, (sheet.height - block.height) / 2)
    turned = mask.convert("L").rotate(job.rng.uniform(8, 28), resample=Image.Resampling.BICUBIC)
    colour = job.rng.choice(((200, 30, 40), (90, 96, 110), (30, 70, 160)))
    sheet.paste(paint_flat(sheet.size, colour), (0, 0), turned.point([round(value * 0.45) for value in range(256)]))


def choose_fields(job: Job, *, stacked: bool, columns: int = 1, ink: Rgb = DARKISH, label: Rgb = GREY) -> FieldStyle:
    """Printed labels and values."""
    first = job.choose_style("sans", "condensed", colour=label, leading=1.2)
    second = job.choose_style("sans", "condensed", "mono", "serif", colour=ink, leading=1.2)
    return FieldStyle(label=first, value=second, stacked=stacked, columns=columns)
