"""Grades correct answers: exact replies to closed questions, and the things that a description names.

Knows nothing of safety, models or statistics.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

from safety_core.evaluation.scoring.judges import normalise_reply


def matches_answer(reply: str, answer: str) -> bool:
    """Whether a reply equals the answer, apart from case, spacing and a closing full stop."""
    return normalise_reply(reply).rstrip(" .") == normalise_reply(answer).rstrip(" .")


class ThingFinder:
    """Finds the things that a text names.

    A longer form takes precedence over a shorter one within it, so "playing card" is not also a "card".

    Args:
        vocabulary: canonical name → the forms (singular, plural, synonyms) that name it in a text.

    Raises:
        ValueError: two things share a form.
    """

    def __init__(self, vocabulary: Mapping[str, tuple[str, ...]]) -> None:
        self._names: dict[str, str] = {}
        for name, forms in vocabulary.items():
            for form in map(normalise_reply, forms):
                if self._names.setdefault(form, name) != name:
                    raise ValueError(f"{form!r} names both {self._names[form]!r} and {name!r}")
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")

    def __call__(self, text: str) -> frozenset[str]:
        """Find the canonical names of the things that the text names."""
        return frozenset(self._names[form] for form in self._pattern.findall(normalise_reply(text)) if form)


def compute_f1(found: Set[str], expected: Set[str]) -> float:
    """Compute the harmonic mean of precision and recall of two sets; 1.0 where both are empty."""
    return 1.0 if not found and not expected else 2 * len(found & expected) / (len(found) + len(expected))
