import pytest

from safety_core.errors import InputError
from safety_core.small.build.model_card import format_model_card
from safety_core.small.corpus.sources import FREE_TERMS, SOURCES

ORIGIN = {"recipe": {"safety": {"prompt_layers": 12}}, "permissive": False}
COUNTS = {"answerable": 1200, "false_refusals": 7, "refusable": 300, "missed_refusals": 21}

NOT_FREE = [name for name, source in SOURCES.items() if source.trained and source.terms not in FREE_TERMS]


def list_terms(card: str) -> list[list[str]]:
    """Cells of the table of terms, by rows of weights."""
    lines = card[card.index("| weights |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_sets_without_free_terms_are_named_with_their_terms() -> None:
    rows = list_terms(format_model_card(provenance=ORIGIN))
    assert len(rows) == 2
    assert NOT_FREE
    for _, sets, bound in rows:
        for name in NOT_FREE:
            assert name in sets
            assert f"{name} ({SOURCES[name].terms})" in bound
        assert "jailbreakbench" not in sets, "nothing is trained on a test set"


def test_a_permissive_build_claims_no_photograph() -> None:
    card = format_model_card(provenance={**ORIGIN, "permissive": True})
    assert [bound for *_, bound in list_terms(card)] == ["none", "none"]
    assert not any(f"{name} (" in card or f"{name}," in card for name in NOT_FREE)
    assert "no photograph took part in its training" in card
    assert "took part in the training" not in card


def test_what_was_not_measured_is_said() -> None:
    card = format_model_card(provenance=ORIGIN)
    assert card.count("Not measured yet.") == 3
    assert "hidden states after 12 layers" in card


def test_figures_come_from_the_files_given() -> None:
    card = format_model_card(
        provenance={**ORIGIN, "calibration": COUNTS},
        report="# Figures of the test split\n\n## Words\n\n| a |",
        names=[
            {"row": "names: coco", "measure": "named", "n": 40, "value": 0.425, "low": 0.3, "high": 0.55},
            {"row": "counts", "measure": "right", "n": 0, "value": None},
        ],
    )
    assert "Not measured" not in card
    assert "### Figures of the test split" in card
    assert "#### Words" in card
    assert "| names: coco | named | 40 | 42.5 % [30.0, 55.0] |" in card
    assert "| counts | right | 0 | – |" in card
    assert "of its 1,200 requests that deserve an answer the thresholds refuse 7" in card
    assert "of its 300 of the worst level they miss 21" in card


def test_tables_of_recall_and_agreement_have_sections_only_where_they_exist() -> None:
    card = format_model_card(provenance=ORIGIN, recall="| model | repeated |\n", agreement="| replies of | read |\n")
    repeats, read = card.index("## What it repeats"), card.index("## Replies read by hand")
    assert card.index("## What it names") < repeats < card.index("| model | repeated |") < read
    assert read < card.index("| replies of | read |") < card.index("## Thresholds")
    plain = format_model_card(provenance=ORIGIN)
    assert "repeats" not in plain
    assert "by hand" not in plain


def test_another_checkpoint_has_no_such_card() -> None:
    with pytest.raises(InputError, match="was not built by"):
        format_model_card(provenance={"trained": True})
