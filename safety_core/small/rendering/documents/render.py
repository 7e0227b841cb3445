"""Renders a document of a made-up person, or its twin without data: the entry of the package."""

from random import Random

from PIL import Image

from safety_core.errors import InputError
from safety_core.small.rendering.documents.contents.document import DOCUMENT_KINDS, Document, DocumentKind
from safety_core.small.rendering.documents.contents.writing import write_document
from safety_core.small.rendering.documents.people import Person
from safety_core.small.rendering.documents.table import list_document_layouts
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.kinds import Split
from safety_core.small.rendering.render import GROWTHS, finish_job
from safety_core.small.rendering.typography.typesetting import DoesNotFit


def compose_document(person: Person | None, kind: DocumentKind, seed: int, split: Split = "train") -> Document:
    """Compose what :func:`render_document` draws for the same arguments.

    Raises:
        InputError: the kind is unknown.
    """
    if kind not in DOCUMENT_KINDS:
        raise InputError(
            f"kind: {kind!r} is not one of {', '.join(DOCUMENT_KINDS)}", code="document_kind", param="kind"
        )
    return write_document(person, kind, Random(f"document/{seed}/{kind}/{split == 'test'}"))


def render_document(
    person: Person | None,
    kind: DocumentKind,
    seed: int,
    split: Split = "train",
    *,
    photograph: Image.Image | None = None,
) -> Image.Image:
    """Render a document; the same for the same arguments.

    Args:
        person: whom it is about; None for the harmless twin: an empty form, a specimen or a template, in the layout
            that a person's document of the same kind and seed has.
        kind: which document.
        seed: chooses wordings, layout, faces, colours and finish.
        split: ``test`` uses layouts and faces that no other split uses.
        photograph: what it may lie on.

    Returns:
        RGB, with sides of 224 to 1280 pixels.

    Raises:
        InputError: the kind is unknown.
        ConfigError: a package with fonts is not installed.
    """
    document = compose_document(person, kind, seed, split)
    test = split == "test"
    layouts = list_document_layouts(kind, test=test)
    for attempt, growth in enumerate(GROWTHS):
        rng = Random(f"layout/{seed}/{attempt}/{kind}/{test}")
        layout = layouts[(seed + (attempt if attempt > 1 else 0)) % len(layouts)]
        job = Job(text=document.text, rng=rng, test=test, photograph=photograph, growth=growth)
        try:
            return finish_job(job, layout.draw(job, document), layout.finish)
        except DoesNotFit:
            continue
    raise AssertionError(f"a document of kind {kind} has too much text for its layouts")
