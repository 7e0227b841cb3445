"""The layouts of each kind of document."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from safety_core.small.rendering.documents import card_layouts, sheet_layouts
from safety_core.small.rendering.documents.contents.document import Document, DocumentKind
from safety_core.small.rendering.finishing import Finish
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.layouts import chats


def _draw_chat(draw: Callable[[Job], Image.Image]) -> Callable[[Job, Document], Image.Image]:
    """Draw a document that is a chat; the job holds its text."""
    return lambda job, document: draw(job)


@dataclass(frozen=True, slots=True)
class DocumentLayout:
    """One way to draw documents."""

    draw: Callable[[Job, Document], Image.Image]
    finish: Finish = "scan"
    test: bool = False


_CARDS = (
    DocumentLayout(card_layouts.draw_portrait_card, "photo"),
    DocumentLayout(card_layouts.draw_text_card, "photo"),
    DocumentLayout(card_layouts.draw_upright_card, "photo", test=True),
)
_SHEETS = (
    DocumentLayout(sheet_layouts.draw_sheet),
    DocumentLayout(sheet_layouts.draw_band_sheet, "screen"),
    DocumentLayout(sheet_layouts.draw_grid_sheet, test=True),
)

DOCUMENT_LAYOUTS: dict[DocumentKind, tuple[DocumentLayout, ...]] = {
    "identity_card": _CARDS,
    "driving_licence": _CARDS,
    "health_card": _CARDS,
    "bank_card": (
        DocumentLayout(card_layouts.draw_payment_card, "photo"),
        DocumentLayout(card_layouts.draw_upright_card, "photo", test=True),
    ),
    "passport": (
        DocumentLayout(card_layouts.draw_passport_page, "photo"),
        DocumentLayout(card_layouts.draw_passport_book, "photo", test=True),
    ),
    "bank_statement": _SHEETS,
    "payslip": _SHEETS,
    "medical_report": _SHEETS,
    "prescription": _SHEETS,
    "school_report": _SHEETS,
    "letter": _SHEETS,
    "form": _SHEETS,
    "boarding_pass": (
        DocumentLayout(card_layouts.draw_pass_strip, "photo"),
        DocumentLayout(card_layouts.draw_pass_screen, "screen", test=True),
    ),
    "chat": (
        DocumentLayout(_draw_chat(chats.draw_phone_chat), "screen"),
        DocumentLayout(_draw_chat(chats.draw_cropped_chat), "screen"),
        DocumentLayout(_draw_chat(chats.draw_thread), "screen"),
        DocumentLayout(_draw_chat(chats.draw_lock_screen), "screen", test=True),
    ),
}


def list_document_layouts(kind: DocumentKind, *, test: bool) -> tuple[DocumentLayout, ...]:
    """List the layouts of a kind for the test split, or for all others."""
    return tuple(layout for layout in DOCUMENT_LAYOUTS[kind] if layout.test == test)
