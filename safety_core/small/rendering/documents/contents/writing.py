"""Writes a document of some kind; wordings vary by chance."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from safety_core.small.rendering.documents.contents import cards, papers
from safety_core.small.rendering.documents.contents.document import Document, DocumentKind
from safety_core.small.rendering.documents.contents.source import Source
from safety_core.small.rendering.documents.people import Person

_WRITERS: dict[DocumentKind, Callable[[Source], Document]] = {
    "identity_card": cards.issue_identity_card,
    "driving_licence": cards.issue_driving_licence,
    "passport": cards.issue_passport,
    "bank_card": cards.issue_bank_card,
    "bank_statement": papers.issue_bank_statement,
    "payslip": papers.issue_payslip,
    "health_card": cards.issue_health_card,
    "medical_report": papers.issue_medical_report,
    "prescription": papers.issue_prescription,
    "school_report": papers.issue_school_report,
    "letter": papers.write_letter,
    "form": papers.fill_form,
    "boarding_pass": cards.issue_boarding_pass,
    "chat": papers.write_chat,
}


def write_document(person: Person | None, kind: DocumentKind, rng: Random) -> Document:
    """Write a document about a person, or its twin that is nobody's.

    Args:
        person: None for an empty form, a specimen or a template.
        kind: which document.
        rng: chooses wordings and which fields there are.
    """
    source = Source(person, rng)
    document = _WRITERS[kind](source)
    stamp = "" if kind in ("chat", "letter") else source.stamp
    return replace(document, stamp=stamp, blank=person is None)
