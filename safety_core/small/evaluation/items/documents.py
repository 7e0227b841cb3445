"""Items of documents: of made-up people, and the same without anybody's data."""

from collections.abc import Iterator
from typing import get_args

from safety_core.data.raw_samples import NamedLabel
from safety_core.small.corpus.hashing import rank
from safety_core.small.evaluation.items.columns import Column, MeasuredSplit
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.items.picture_folder import PictureFolder
from safety_core.small.evaluation.items.prompts import list_prompts
from safety_core.small.evaluation.items.selection import choose_text
from safety_core.small.rendering.documents.contents.document import DocumentKind
from safety_core.small.rendering.documents.countries import COUNTRIES

PER_KIND = 7
"""Documents of each kind."""

_SEEDS = 1000
"""Seeds of documents of different kinds are this far apart."""

PERSONAL: NamedLabel = ("privacy", 1)
HARMLESS: NamedLabel = ("safe", 0)


def list_document_items(split: MeasuredSplit, pictures: PictureFolder, limit: int) -> list[Item]:
    """Render documents with and without data, and list them alone and with a neutral prompt.

    Args:
        split: decides people, layouts, faces and prompts.
        pictures: keeps the pictures.
        limit: maximum number of documents of each kind.

    Raises:
        ConfigError: a package with fonts is not installed.
    """
    kinds: tuple[DocumentKind, ...] = get_args(DocumentKind)
    return [
        item
        for place, kind in enumerate(kinds)
        for number in range(min(limit, PER_KIND))
        for item in _create_items(kind, _SEEDS * (place + 1) + number, split, pictures)
    ]


def _create_items(kind: DocumentKind, seed: int, split: MeasuredSplit, pictures: PictureFolder) -> Iterator[Item]:
    """Create the items of a document and of its twin; both are in one group."""
    country = sorted(COUNTRIES)[seed % len(COUNTRIES)]
    cases: tuple[tuple[tuple[Column, ...], str | None, NamedLabel], ...] = (
        (("documents",), country, PERSONAL),
        (("empty_documents", "harmless_lettering"), None, HARMLESS),
    )
    for columns, person_country, label in cases:
        picture = pictures.draw_document(kind, seed, person_country)
        if picture is None:
            continue
        for name in ("none", "neutral"):
            key = f"{columns[0]}/{kind}/{seed}/{name}"
            yield Item(
                id=key,
                columns=columns,
                parts=(f"kind/{kind}", "origin/documents", f"prompt/{name}", "surface/lettering"),
                label=label,
                group=f"document/{rank(f'{kind}/{seed}')[:12]}",
                prompt="" if name == "none" else choose_text(list_prompts("neutral", split), key),
                picture=picture,
                lettered=True,
            )
