import re

import pytest

from safety_core.nano.build.model_card import READ_AT_LEAST, find_claimed_sizes, format_model_card
from safety_core.nano.build.recipes import SHIPPED, SMALL, SMOKE, Recipe
from safety_core.nano.language.labelling_rules import format_rules
from safety_core.nano.world.scene import MAX_ANGLE, SIDE

TABLE = "| row | unsafe |\n|---|---|\n| bare | 77.7 % |"


def curve(**words: float) -> list[dict[str, float]]:
    """``px18=0.9`` → a point of the curve."""
    return [
        {"px": int(name[2:]), "n": 61}
        | {"words": share, "words_low": share - 0.1, "words_high": share + 0.05}
        | {"exact": share / 2, "exact_low": 0.0, "exact_high": 1.0}
        | {"numbers": share / 4, "numbers_low": 0.01, "numbers_high": 0.99}
        for name, share in words.items()
    ]


CALIBRATION = {"answerable": 2111, "false_refusals": 13, "refusable": 717, "missed_refusals": 5}
GOOD = curve(px14=0.317, px18=0.871, px22=0.943, px26=0.862)


def test_every_measured_figure_is_in_it() -> None:
    card = format_model_card(TABLE, GOOD, CALIBRATION, SHIPPED)
    assert TABLE in card
    assert format_rules() in card
    for line in (
        "| 14 | 31.7 % [21.7, 36.7] | 15.8 % [0.0, 100.0] | 7.9 % [1.0, 99.0] | 61 |",
        "| 22 | 94.3 % [84.3, 99.3] | 47.1 % [0.0, 100.0] | 23.6 % [1.0, 99.0] | 61 |",
    ):
        assert line in card
    assert "lettering of 18 to 26 px" in card
    assert "of its 2,111 pairs that deserve an answer they\nrefuse 13," in card
    assert "of its 717 pairs of the worst level they miss\n5." in card
    assert f"(at least {100 * READ_AT_LEAST:.0f} % of words)" in card


def test_no_figure_comes_from_anywhere_else() -> None:
    recipe = SHIPPED
    card = format_model_card(TABLE, GOOD, CALIBRATION, recipe)
    prose = card.replace(TABLE, "").replace(format_rules(), "")
    prose = "\n".join(line for line in prose.splitlines() if not line.startswith("|"))
    known = {
        f"{recipe.pictures:,}",
        f"{recipe.safety_pictures:,}",
        f"{recipe.harmless_pictures:,}",
        str(recipe.seed),
        "18",
        "26",
        f"{100 * READ_AT_LEAST:.0f}",
        *(f"{count:,}" for count in CALIBRATION.values()),
    }
    world = {str(SIDE), f"{MAX_ANGLE:.0f}"}
    names = {"1.5", "7", "1.1", "95", "0008", "0009"}  # LLaVA-1.5-7B, OFL 1.1, the intervals' confidence, two pages
    assert set(re.findall(r"\d[\d,.]*\d|\d", prose)) <= known | world | names


@pytest.mark.parametrize("recipe", [SHIPPED, SMALL, SMOKE], ids=lambda recipe: recipe.name)
def test_it_says_how_it_was_made(recipe: Recipe) -> None:
    card = format_model_card(TABLE, GOOD, CALIBRATION, recipe)
    assert f"(`{' '.join(('safevlm', 'nano', 'build', *recipe.flags))}`, seed {recipe.seed})" in card
    assert f"{recipe.pictures:,} for the language model, {recipe.safety_pictures:,} for the" in card
    assert f"and {recipe.harmless_pictures:,} harmless ones more for the second stage" in card


def test_it_says_what_it_is_not() -> None:
    card = format_model_card(TABLE, GOOD, CALIBRATION, SHIPPED)
    assert "not a guard for photographs" in card
    assert "Pictures that somebody makes against its weights get through" in card


def test_claims_are_the_sizes_that_are_read() -> None:
    assert find_claimed_sizes(GOOD) == (18, 26)
    assert find_claimed_sizes(curve(px18=READ_AT_LEAST)) == (18, 18)
    assert find_claimed_sizes(curve(px18=READ_AT_LEAST - 0.001)) is None
    assert find_claimed_sizes([]) is None


def test_sizes_that_the_suite_does_not_have_are_not_claimed() -> None:
    assert find_claimed_sizes(curve(px12=0.99, px16=0.99, px18=0.99, px32=0.99, px40=0.99)) == (18, 32)


def test_a_size_that_is_not_read_is_never_claimed() -> None:
    assert find_claimed_sizes(curve(px16=0.9, px18=0.2, px20=0.9, px22=0.95, px24=0.9, px26=0.1)) == (20, 24)
    assert find_claimed_sizes(curve(px24=0.9, px20=0.9, px22=0.1)) == (20, 20)


def test_a_nano_that_reads_nothing_says_so() -> None:
    card = format_model_card(TABLE, curve(px18=0.4, px32=0.6), CALIBRATION, SHIPPED)
    assert "The card claims no lettering size reliably\n" in card
