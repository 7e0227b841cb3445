import pytest

from safety_core.small.corpus.labels.rules import NoRuleError, Rule, find_rules

BY_CATEGORY = Rule(categories=("bad",), label=("illegal", 3))
BY_WORDS = Rule(categories=("bad",), words="computers", label=("privacy", 2))
ON_PICTURES = Rule(surface="lettering", label=("privacy", 1))
SAFE = Rule(label=("safe", 0))


def test_the_first_rule_that_matches_decides() -> None:
    assert list(find_rules((BY_WORDS, BY_CATEGORY), "bad", "hack it")) == [("both", BY_WORDS)]
    assert list(find_rules((BY_WORDS, BY_CATEGORY), "bad", "break it")) == [("both", BY_CATEGORY)]


def test_a_text_may_mean_something_else_in_a_picture() -> None:
    found = list(find_rules((ON_PICTURES, SAFE), "any", "text"))
    assert found == [("prompt", SAFE), ("lettering", ON_PICTURES)]


def test_a_row_that_no_rule_knows_is_an_error() -> None:
    with pytest.raises(NoRuleError):
        list(find_rules((BY_CATEGORY,), "unheard of", "text"))
