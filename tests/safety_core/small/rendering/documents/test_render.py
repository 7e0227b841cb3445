import pytest
from PIL import ImageChops

from safety_core.errors import InputError
from safety_core.small.rendering.documents.contents.document import DOCUMENT_KINDS, DocumentKind
from safety_core.small.rendering.documents.people import create_person
from safety_core.small.rendering.documents.render import compose_document, render_document
from safety_core.small.rendering.documents.table import DOCUMENT_LAYOUTS, list_document_layouts
from safety_core.small.rendering.kinds import Split


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_every_document_and_its_twin_are_drawn_within_bounds(kind: DocumentKind, split: Split) -> None:
    person = create_person(11, "IN", split)
    for seed in range(3):
        for shown in (person, None):
            picture = render_document(shown, kind, seed, split)
            assert picture.mode == "RGB"
            assert min(picture.size) >= 224
            assert max(picture.size) <= 1280


def test_a_document_repeats_and_another_person_changes_it() -> None:
    first, again = (render_document(create_person(2, "SE"), "payslip", 4) for _ in range(2))
    assert ImageChops.difference(first, again).getbbox() is None
    other = render_document(create_person(3, "SE"), "payslip", 4)
    assert first.tobytes() != other.tobytes()


def test_what_is_drawn_is_what_was_composed() -> None:
    person = create_person(5, "IT")
    assert compose_document(person, "passport", 6) == compose_document(person, "passport", 6)
    assert person.passport_number in compose_document(person, "passport", 6).text


@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_layouts_of_tests_are_not_trained_on(kind: DocumentKind) -> None:
    assert list_document_layouts(kind, test=True)
    assert list_document_layouts(kind, test=False)
    used = [layout.draw for layout in DOCUMENT_LAYOUTS[kind]]
    assert len(set(used)) == len(used)


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(InputError, match="kind"):
        render_document(None, "treaty", 0)  # type: ignore[arg-type]
