from random import Random

import pytest

from safety_core.small.rendering.documents.contents.document import DOCUMENT_KINDS, DocumentKind
from safety_core.small.rendering.documents.contents.writing import write_document
from safety_core.small.rendering.documents.people import Person, create_person


def list_values(person: Person) -> set[str]:
    """What identifies a person, or should not be told."""
    values = {
        person.name,
        person.family,
        person.family.upper(),
        person.phone,
        person.email,
        person.street,
        person.account,
    }
    values |= {
        person.identity_number,
        person.passport_number,
        person.licence_number,
        person.tax_number,
        person.condition,
    }
    return values | {
        person.insurance_number,
        person.card_number,
        person.format_date(person.birth),
        f"{person.salary:.2f}",
    }


@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_a_document_shows_data_and_its_twin_shows_none(kind: DocumentKind) -> None:
    for seed in range(12):
        person = create_person(seed, "GB")
        document = write_document(person, kind, Random(seed))
        twin = write_document(None, kind, Random(seed))
        assert any(value in document.text for value in list_values(person))
        assert not any(value in twin.text for value in list_values(person))
        assert twin.text.strip()
        assert twin.blank
        assert document.label == ("privacy", 2 if kind == "bank_card" else 1)
        assert twin.label == ("safe", 0)
        assert not document.stamp


def test_wordings_vary() -> None:
    person = create_person(1, "FR")
    texts = {write_document(person, "identity_card", Random(seed)).text for seed in range(20)}
    assert len(texts) > 15
