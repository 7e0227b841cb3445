"""The rules of every set of texts, and the tables of rules that docs/safevlm-small-data.md prints."""

from collections.abc import Iterator

from safety_core.small.corpus.labels.harmless import BENIGN, BENIGN_T0
from safety_core.small.corpus.labels.hostility import BBQ, HATECHECK, TOXICITY_SURGE, TWEETS_DAVIDSON
from safety_core.small.corpus.labels.photographs import PHOTO_RULES
from safety_core.small.corpus.labels.requests import (
    CATQA,
    HARMBENCH_TEXT,
    HARMFULQA,
    JAILBREAKBENCH,
    SIMPLESAFETYTESTS,
    STRONGREJECT,
    TDC2023,
)
from safety_core.small.corpus.labels.rules import Rule
from safety_core.small.corpus.labels.statements import (
    COVID_CLAIMS,
    ISSUEBENCH,
    ISSUEBENCH_TEMPLATES,
    PII,
    POLITICAL_NEUTRAL,
    POLITICAL_PROPOSITIONS,
    TRUTHFULQA,
)

TEXT_RULES: dict[str, tuple[Rule, ...]] = {
    "catqa": CATQA,
    "harmfulqa": HARMFULQA,
    "strongreject": STRONGREJECT,
    "jailbreakbench": JAILBREAKBENCH,
    "tdc2023": TDC2023,
    "harmbench_text": HARMBENCH_TEXT,
    "simplesafetytests": SIMPLESAFETYTESTS,
    "issuebench_issues": ISSUEBENCH,
    "issuebench_templates": ISSUEBENCH_TEMPLATES,
    "political_propositions": POLITICAL_PROPOSITIONS,
    "political_neutral": POLITICAL_NEUTRAL,
    "tweets_davidson": TWEETS_DAVIDSON,
    "toxicity_surge": TOXICITY_SURGE,
    "hatecheck": HATECHECK,
    "bbq": BBQ,
    "pii": PII,
    "covid_claims": COVID_CLAIMS,
    "truthfulqa": TRUTHFULQA,
    "benign_dolly": BENIGN,
    "benign_self_instruct": BENIGN,
    "benign_t0": BENIGN_T0,
    "benign_fastchat": BENIGN,
    "benign_paired": BENIGN,
    "benign_vqa_pope": BENIGN,
    "benign_vqa_llava": BENIGN,
}
"""Rules of each set of texts."""


def format_rules() -> str:
    """Format all rules as one Markdown table; the first rule of a set that matches decides."""
    head = "| set | category | words | where | type | level | remarks |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    tables = {**TEXT_RULES, **PHOTO_RULES}
    return head + "".join(row for source, rules in tables.items() for row in _format_rows(source, rules))


def _format_rows(source: str, rules: tuple[Rule, ...]) -> Iterator[str]:
    for rule in rules:
        category = ", ".join(rule.categories) or "any"
        words = f"a word of `{rule.words}`" if rule.words else ""
        where = "photo" if source in PHOTO_RULES else rule.surface
        risk, level = (rule.label[0], str(rule.label[1])) if rule.label else ("left out", "")
        remarks = "; ".join(filter(None, (f"kind `{rule.kind}`" if rule.kind else "", rule.why)))
        yield f"| {source} | {category} | {words} | {where} | {risk} | {level} | {remarks} |\n"
