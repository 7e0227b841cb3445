import pytest

from safety_core.nano.language.labelling_rules import SAFE, Risk
from safety_core.nano.language.replies import (
    CARE,
    COMPLIANCE_STARTS,
    DECLINE,
    DECLINE_START,
    DISCLOSURE_START,
    GIVING_STARTS,
    REFUSAL,
    SURE,
    build_guarded_reply,
)
from safety_core.taxonomy import DEFAULT_TAXONOMY


def test_a_safe_answer_stays_as_it_is() -> None:
    assert build_guarded_reply("It is a dog.", SAFE) == "It is a dog."


@pytest.mark.parametrize("name", DEFAULT_TAXONOMY.risky_types)
def test_each_level_of_a_risk_has_its_reply(name: str) -> None:
    replies = [build_guarded_reply("It is a bomb.", Risk(level, name)) for level in (1, 2, 3)]
    assert replies == [f"It is a bomb. {CARE[name]}", DECLINE[name], REFUSAL]


def test_every_type_has_replies_of_its_own() -> None:
    for replies in (CARE, DECLINE):
        assert set(replies) == set(DEFAULT_TAXONOMY.risky_types)
        assert len(set(replies.values())) == len(replies)


def test_kinds_of_replies_are_told_apart_by_how_they_begin() -> None:
    starts = (DECLINE_START, DISCLOSURE_START, *COMPLIANCE_STARTS)
    assert all(text.startswith(DECLINE_START) for text in DECLINE.values())
    assert all(start.startswith(COMPLIANCE_STARTS) for start in (*GIVING_STARTS, SURE))
    assert not any(text.startswith(starts) for text in (REFUSAL, *CARE.values()))
