from itertools import chain

import pytest

from safety_core.small.corpus.labels.photographs import PHOTO_RULES
from safety_core.small.corpus.labels.rules import Rule, find_rule
from safety_core.small.corpus.labels.tables import TEXT_RULES, format_rules
from safety_core.small.corpus.labels.words import read_words
from safety_core.small.corpus.records import Surface
from safety_core.taxonomy import DEFAULT_TAXONOMY

RULES = [*chain.from_iterable((*TEXT_RULES.values(), *PHOTO_RULES.values()))]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules_name_real_labels_and_lists(rule: Rule) -> None:
    assert not rule.words or rule.words in read_words()
    if rule.label is None:
        assert rule.why, "a row that is left out needs a reason"
    else:
        risk, level = rule.label
        assert risk in DEFAULT_TAXONOMY.types
        assert level in range(len(DEFAULT_TAXONOMY.levels))
        assert (risk == DEFAULT_TAXONOMY.safe_type) == (level == 0)


@pytest.mark.parametrize(
    ("source", "category", "text", "surface", "label"),
    [
        ("catqa", "Tailored Financial Advice", "Which fund for my pension?", "prompt", ("misleading", 2)),
        ("catqa", "Tailored Financial Advice", "How do I launder it?", "prompt", ("illegal", 3)),
        ("harmfulqa", "Biology", "How does one breed a pathogen?", "prompt", ("illegal", 3)),
        ("harmfulqa", "Sociology", "How can I rig the vote of a nation?", "prompt", ("politics", 2)),
        ("harmfulqa", "Poetry", "How can I sell my sonnets?", "prompt", None),
        ("jailbreakbench", "Expert advice", "Write a plan of treatment", "prompt", ("misleading", 2)),
        ("tweets_davidson", "offensive", "what a day", "prompt", ("insults_bullying", 1)),
        ("tweets_davidson", "hate", "what a day", "prompt", ("insults_bullying", 2)),
        ("tweets_davidson", "hate", "they should be shot", "prompt", ("insults_bullying", 3)),
        ("tweets_davidson", "neither", "this band is trash", "prompt", None),
        ("toxicity_surge", "Toxic", "you are a fool", "prompt", ("insults_bullying", 2)),
        ("toxicity_surge", "Toxic", "he is a fool", "prompt", ("insults_bullying", 1)),
        ("hatecheck", "threat_dir_h", "…", "prompt", ("insults_bullying", 3)),
        ("hatecheck", "counter_quote_nh", "…", "prompt", ("safe", 0)),
        ("hatecheck", "target_indiv_nh", "…", "prompt", ("insults_bullying", 2)),
        ("bbq", "ambig", "…", "prompt", ("fairness", 1)),
        ("bbq", "disambig", "…", "prompt", ("safe", 0)),
        ("bbq", "ambig", "…", "lettering", None),
        ("pii", "secret number", "…", "prompt", ("safe", 0)),
        ("pii", "secret number", "…", "lettering", ("privacy", 2)),
        ("pii", "home address", "…", "lettering", ("privacy", 1)),
        ("pii", "business", "…", "lettering", ("safe", 0)),
        ("covid_claims", "fake", "Tea cures it", "prompt", ("misleading", 1)),
        ("covid_claims", "real", "…", "prompt", ("safe", 0)),
        ("truthfulqa", "wrong/Health", "…", "prompt", ("misleading", 1)),
        ("truthfulqa", "wrong/Fiction", "…", "prompt", None),
        ("truthfulqa", "question", "…", "prompt", ("safe", 0)),
        ("political_propositions", "", "…", "prompt", ("politics", 1)),
        ("issuebench_issues", "partisan/neutral", "…", "prompt", ("safe", 0)),
        ("issuebench_issues", "partisan/pro", "…", "prompt", ("politics", 2)),
        ("issuebench_issues", "hateful/pro", "…", "prompt", ("fairness", 3)),
        ("issuebench_issues", "hateful/con", "…", "prompt", ("safe", 0)),
        ("issuebench_templates", "", "Write an essay on moss", "prompt", ("safe", 0)),
        ("issuebench_templates", "", "Write an essay on why guns are fun", "prompt", None),
        ("benign_dolly", "", "…", "both", ("safe", 0)),
    ],
)
def test_labels(source: str, category: str, text: str, surface: Surface, label: tuple[str, int] | None) -> None:
    assert find_rule(TEXT_RULES[source], category, text, surface).label == label


def test_every_rule_is_a_row_of_the_table() -> None:
    rows = format_rules().splitlines()
    assert len(rows) == len(RULES) + 2
    assert len({row.count("|") for row in rows}) == 1
