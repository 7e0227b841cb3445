"""docs/safevlm-small-pictures.md matches the code."""

from safety_core.small.lettering_plan.prompts import read_picture_prompts
from safety_core.small.lettering_plan.rules import FORMS, PHRASE_WORDS, PROMPT_KINDS, format_rules
from safety_core.small.rendering.documents.countries import COUNTRIES
from safety_core.small.rendering.kinds import KINDS
from safety_core.small.rendering.typography.faces import CAP_HEIGHT, format_faces
from tests.helpers.paths import ROOT

TEXT = (ROOT / "docs" / "safevlm-small-pictures.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())

NUMBERS = {5: "five", 7: "Seven", 8: "Eight", 9: "Nine"}


def test_tables_are_printed_word_for_word() -> None:
    assert format_faces() in TEXT
    assert format_rules() in TEXT


def test_kinds_forms_and_wishes_are_all_named() -> None:
    assert f"There are {len(KINDS)} kinds" in WORDS
    assert all(f"`{name}`" in TEXT for name in (*KINDS, *FORMS[1:], *PROMPT_KINDS[1:]))


def test_numbers_are_those_of_the_code() -> None:
    assert f"Capitals are at least {CAP_HEIGHT} pixels high" in WORDS
    assert f"people of {len(COUNTRIES)} countries" in WORDS
    assert f"at most {NUMBERS[PHRASE_WORDS]} words" in WORDS
    harmful = sum(prompt.level > 0 for prompt in read_picture_prompts())
    assert f"{NUMBERS[harmful]} of the prompts about documents" in WORDS
