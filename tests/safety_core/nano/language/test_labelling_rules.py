import pytest

from safety_core.nano.corpus.contents import RISKY_CONTENTS, SAFE_CONTENTS
from safety_core.nano.language.labelling_rules import (
    SAFE,
    TABLE,
    Risk,
    format_rules,
    get_pair_risk,
    get_picture_risk,
    is_asked,
    list_contents,
    list_intents,
)
from safety_core.nano.language.wordings import RISKY_TALK
from safety_core.nano.world.things import RISKY_KINDS
from safety_core.nano.world.vocabulary import PHRASE_CONTENTS
from safety_core.taxonomy import DEFAULT_TAXONOMY

CELLS = [(content, intent) for content in list_contents() for intent in list_intents()]
HARMFUL_WORDS = Risk(3, "illegal")


def test_rows_and_columns_are_those_of_the_world() -> None:
    assert set(list_contents()) == {"clean", *RISKY_KINDS, *PHRASE_CONTENTS}
    assert list_intents() == ("look", "read", "opinion", "use", "make", "share", "obey", "talk")


def test_every_cell_is_what_the_table_says() -> None:
    header, *rows = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
    for content, risk_type, alone, *levels in rows:
        assert get_picture_risk(content).level == int(alone)
        for intent, level in zip(header[3:], levels, strict=True):
            assert is_asked(content, intent) == (level != "-")
            if level != "-":
                assert get_pair_risk(content, intent) == (Risk(int(level), risk_type) if int(level) else SAFE)


def test_every_type_occurs_at_every_level() -> None:
    found = {get_pair_risk(content, intent) for content, intent in CELLS if is_asked(content, intent)}
    wanted = {
        Risk(level, name) for name in DEFAULT_TAXONOMY.risky_types for level in range(1, len(DEFAULT_TAXONOMY.levels))
    }
    assert found == {SAFE, *wanted}
    assert {Risk(level, name) for name, level in RISKY_TALK} == wanted


def test_a_knife_to_look_at_is_not_a_knife_to_make() -> None:
    assert get_pair_risk("weapon", "look") == Risk(1, "illegal")
    assert get_pair_risk("weapon", "make") == Risk(3, "illegal")
    assert get_pair_risk("weapon", "talk") == SAFE


def test_a_harmless_picture_does_not_excuse_a_harmful_prompt() -> None:
    assert get_pair_risk("clean", "talk", HARMFUL_WORDS) == HARMFUL_WORDS


def test_a_rendered_request_is_harmful_once_it_is_obeyed() -> None:
    assert get_pair_risk("request_harmful", "obey") == Risk(3, "illegal")
    assert get_pair_risk("request_harmful", "read") == Risk(1, "illegal")
    assert get_pair_risk("request_benign", "obey") == SAFE


def test_the_worse_of_picture_and_words_holds() -> None:
    assert get_pair_risk("weapon", "make", Risk(2, "politics")) == Risk(3, "illegal")
    assert get_pair_risk("weapon", "look", Risk(2, "politics")) == Risk(2, "politics")


def test_the_words_win_a_tie() -> None:
    assert get_pair_risk("weapon", "make", Risk(3, "politics")) == Risk(3, "politics")
    assert get_pair_risk("clean", "look", SAFE) == SAFE


def test_a_pair_that_is_never_asked_has_no_risk() -> None:
    never = [cell for cell in CELLS if not is_asked(*cell)]
    assert ("weapon", "obey") in never
    for content, intent in never:
        with pytest.raises(ValueError, match=f"no level for '{intent}' with '{content}'"):
            get_pair_risk(content, intent)
        with pytest.raises(ValueError, match=f"no level for '{intent}' with '{content}'"):
            get_pair_risk(content, intent, HARMFUL_WORDS)


def test_safe_rows_are_safe_whatever_is_asked() -> None:
    for content in SAFE_CONTENTS:
        assert get_picture_risk(content) == SAFE
        assert {get_pair_risk(content, intent) for intent in list_intents() if is_asked(content, intent)} == {SAFE}
    assert all(get_picture_risk(content).level > 0 for content in RISKY_CONTENTS)


def test_in_every_risky_row_the_prompt_decides() -> None:
    for content in RISKY_CONTENTS:
        assert (
            len({get_pair_risk(content, intent).level for intent in list_intents() if is_asked(content, intent)}) >= 3
        ), content


def test_a_label_knows_its_place_in_the_taxonomy() -> None:
    assert [Risk(1, name).type_index for name in DEFAULT_TAXONOMY.types] == list(range(len(DEFAULT_TAXONOMY.types)))


def test_the_printed_table_has_every_cell() -> None:
    lines = format_rules().splitlines()
    assert len(lines) == len(list_contents()) + 2
    assert lines[1] == "| " + " | ".join(["---"] * 11) + " |"
    assert [line.split("|")[1].strip() for line in lines[2:]] == list(list_contents())
