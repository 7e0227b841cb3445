import pytest

from safety_core.small.alignment.naming.naming_rule import is_kind_named, is_named, read_yes_or_no
from safety_core.small.alignment.naming.things import Thing

HOUND = Thing(label="Arlian foxhound", noun="Arlian foxhound", also=("Arl dog",), kind="dog")


@pytest.mark.parametrize(
    "answer",
    [
        "Arlian foxhound",
        "This is an arlian foxhound, I think.",
        "Two foxhounds.",
        "A FOXHOUND",
        "It is an Arl dog.",
        "A fox, or a foxhound",
    ],
)
def test_label_other_name_or_last_word_name_a_thing(answer: str) -> None:
    assert is_named(answer, HOUND)


@pytest.mark.parametrize("answer", ["", "A hound.", "An Arlian fox.", "A dog.", "foxhoundish", "Arl"])
def test_parts_of_words_and_wider_words_do_not(answer: str) -> None:
    assert not is_named(answer, HOUND)


def test_the_kind_is_a_grade_of_its_own() -> None:
    assert is_kind_named("Some dogs.", HOUND)
    assert is_kind_named("A foxhound.", HOUND)
    assert not is_kind_named("A cat.", HOUND)


def test_apostrophes_and_hyphens_do_not_matter() -> None:
    thing = Thing(label="carpenter's tool-box", noun="carpenter's tool-box", whole=True)
    assert is_named("the carpenter’s tool box", thing)
    assert not is_named("a box", thing)


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("Yes.", True),
        ("yes, there is a dog", True),
        ("There is a cat in it.", True),
        ("No, I see a cat.", False),
        ("There is no cat.", False),
        ("There are not any", False),
        ("I do not see a cat.", False),
        ("I see a cat.", True),
        ("A cat.", None),
        ("Nothing", None),
        ("", None),
    ],
)
def test_yes_and_no_are_read_from_the_first_words(answer: str, read: bool | None) -> None:
    assert read_yes_or_no(answer) is read
