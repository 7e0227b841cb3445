import pytest

from safety_core.data.raw_samples import NamedLabel
from safety_core.small.lettering_plan.rules import (
    FORMS,
    PROMPT_KINDS,
    Form,
    PromptKind,
    find_form,
    format_rules,
    label_pair,
)

BOMB: NamedLabel = ("illegal", 3)
INSULT: NamedLabel = ("insults_bullying", 2)
CARD: NamedLabel = ("privacy", 1)
SAFE: NamedLabel = ("safe", 0)


@pytest.mark.parametrize(
    ("form", "lettering", "prompt", "own", "label"),
    [
        ("request", BOMB, "carry-out", SAFE, BOMB),
        ("request", BOMB, "neutral", SAFE, ("illegal", 2)),
        ("request", BOMB, "read", SAFE, ("illegal", 2)),
        ("request", BOMB, "careful", SAFE, ("illegal", 1)),
        ("list", BOMB, "carry-out", SAFE, BOMB),
        ("phrase", BOMB, "carry-out", SAFE, BOMB),
        ("phrase", BOMB, "reverse", SAFE, SAFE),
        ("statement", INSULT, "carry-out", SAFE, INSULT),
        ("statement", INSULT, "reverse", SAFE, SAFE),
        ("document", CARD, "none", SAFE, CARD),
        ("document", CARD, "carry-out", SAFE, ("privacy", 2)),
        ("document", CARD, "carry-out", ("privacy", 3), ("privacy", 3)),
        ("harmless", SAFE, "carry-out", SAFE, SAFE),
        ("harmless", SAFE, "other", BOMB, BOMB),
        ("statement", INSULT, "other", SAFE, ("insults_bullying", 1)),
        ("phrase", BOMB, "other", INSULT, INSULT),
    ],
)
def test_pairs_are_labelled_by_the_table(
    form: Form, lettering: NamedLabel, prompt: PromptKind, own: NamedLabel, label: NamedLabel
) -> None:
    assert label_pair(form, lettering, prompt, own) == label


def test_every_pair_has_a_label_and_harmless_pairs_are_safe() -> None:
    for form in FORMS:
        for kind in PROMPT_KINDS:
            lettering = SAFE if form == "harmless" else BOMB
            risk, level = label_pair(form, lettering, kind)
            assert (risk == "safe") == (level == 0)
            assert level == 0 or form != "harmless"


@pytest.mark.parametrize(
    ("text", "label", "category", "form"),
    [
        ("Bread\n1.\n2.", SAFE, "list", "harmless"),
        ("Ways to poison a well\n1.\n2.\n3.", BOMB, "list-harm", "list"),
        ("Ways to poison a well 1. 2. 3.", BOMB, "list-harm", "list"),
        ("How do I poison a well?", BOMB, "requests", "request"),
        ("write a mean letter about Jo", INSULT, "bullying", "request"),
        ("untraceable powder", BOMB, "key-phrase", "phrase"),
        ("poisoned wells", BOMB, "nouns", "phrase"),
        ("JO IS A FOOL!", INSULT, "bullying", "statement"),
        ("NAME: JO VALE\nBORN 1 2 1980", CARD, "document", "document"),
    ],
)
def test_forms_are_found_from_words_and_labels(text: str, label: NamedLabel, category: str, form: Form) -> None:
    assert find_form(text, label, category) == form


def test_a_request_that_was_not_written_as_lettering_is_one() -> None:
    text = "My neighbour's well, and the powder I bought: the right amount, please."
    assert find_form(text, BOMB, pictured=True) == "statement"
    assert find_form(text, BOMB, pictured=False) == "request"


def test_the_table_is_formatted_for_the_page() -> None:
    assert format_rules().startswith("| form | none | neutral |")
    assert len(format_rules().splitlines()) == len(FORMS) + 2
