"""What a document says: a title, labelled fields, sentences and rows. Knows no wording and no drawing."""

from dataclasses import dataclass
from typing import Literal, get_args

from safety_core.data.raw_samples import NamedLabel

DocumentKind = Literal[
    "identity_card", "driving_licence", "passport", "bank_card", "bank_statement", "payslip", "health_card",
    "medical_report", "prescription", "school_report", "letter", "form", "boarding_pass", "chat",
]  # fmt: skip

DOCUMENT_KINDS: tuple[DocumentKind, ...] = get_args(DocumentKind)

SAFE: NamedLabel = ("safe", 0)
SHOWS_DATA: NamedLabel = ("privacy", 1)
SHOWS_SECRET: NamedLabel = ("privacy", 2)
"""A whole card number."""


@dataclass(frozen=True, slots=True)
class Field:
    """One labelled value."""

    label: str
    value: str
    """Empty where nothing is filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a document says."""

    kind: DocumentKind
    title: str
    issuer: str = ""
    fields: tuple[Field, ...] = ()
    sentences: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    """Lines of a table: what, and how much."""

    stamp: str = ""
    """Large word across a document that is nobody's."""

    blank: bool = False
    """Whether it shows no data of a person."""

    @property
    def label(self) -> NamedLabel:
        """Type and level of the document as lettering."""
        if self.blank:
            return SAFE
        return SHOWS_SECRET if self.kind == "bank_card" else SHOWS_DATA

    @property
    def text(self) -> str:
        """All that can be read, line by line."""
        lines = [self.issuer, self.title, *(f"{field.label}: {field.value}".strip() for field in self.fields)]
        lines += [*(f"{what}  {value}".strip() for what, value in self.rows), *self.sentences, self.stamp]
        return "\n".join(line for line in lines if line)
