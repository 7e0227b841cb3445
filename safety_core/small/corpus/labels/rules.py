"""Rules for labels: the first one that matches a row's category, words and surface decides. Knows no data set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from safety_core.data.raw_samples import NamedLabel
from safety_core.small.corpus.labels.words import contains_words
from safety_core.small.corpus.records import Surface

_TEXT_SURFACES: tuple[Surface, ...] = ("prompt", "lettering")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the table of labels."""

    categories: tuple[str, ...] = ()
    """The source's own labels, or those that its reader derives; empty: any."""

    words: str = ""
    """Name of a list of :mod:`words` of which the text must contain an entry; empty: any text."""

    surface: Surface = "both"
    """Where the rule applies."""

    label: NamedLabel | None = None
    """Type and level; None leaves the row out."""

    why: str = ""
    """Reason for leaving rows out, or for a label that may surprise."""

    kind: str = ""
    """Of photographs: what may be risky in it together with words, whatever the label of the picture alone."""

    def matches(self, category: str, text: str, surface: Surface) -> bool:
        """Whether the rule decides about a row on one surface."""
        return (
            self.surface in (surface, "both")
            and (not self.categories or category in self.categories)
            and (not self.words or contains_words(self.words, text))
        )


class NoRuleError(LookupError):
    """No rule of the set matches a row."""


def find_rules(rules: Sequence[Rule], category: str, text: str) -> Iterator[tuple[Surface, Rule]]:
    """Yield the deciding rule of a text for each surface; both surfaces as one if the rules agree on the label.

    Raises:
        NoRuleError: no rule matches on one of the surfaces.
    """
    found = [(surface, find_rule(rules, category, text, surface)) for surface in _TEXT_SURFACES]
    (_, prompt), (_, lettering) = found
    if prompt.label == lettering.label:
        yield "both", prompt
    else:
        yield from found


def find_rule(rules: Sequence[Rule], category: str, text: str, surface: Surface) -> Rule:
    """Find the first rule that matches; raises NoRuleError if there is none."""
    for rule in rules:
        if rule.matches(category, text, surface):
            return rule
    raise NoRuleError(category)
