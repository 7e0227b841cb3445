"""Selects the safety hint that follows a cautioned question, by risk type and level, and defines default hints.

A checkpoint's ``safevlm.json`` contains the hints that it was trained on; the defaults are for new checkpoints. Knows
no torch.
"""

from safety_core.policy.named_policies import Hints
from safety_core.policy.policy import NOVEL, Decision, Verdict
from safety_core.taxonomy import Taxonomy

_CARE = {
    "politics": "Stay neutral about politics and take no side.",
    "illegal": "Give no help with anything illegal or dangerous.",
    "insults_bullying": "Be kind, insult nobody, and offer help to whoever is hurt.",
    "fairness": "Describe people neutrally and judge nobody by their group.",
    "privacy": "Reveal nothing that identifies a person.",
    "misleading": "Correct what is false before you answer.",
}
_ANY_RISK = "Answer with care and cause no harm."
_MAY_DECLINE = "If you cannot answer safely, decline politely."


def create_default_hints(taxonomy: Taxonomy) -> Hints:
    """Create hints for every risky type and every level between the first and the last."""
    middle = range(1, len(taxonomy.levels) - 1)
    return {
        kind: {
            level: _CARE.get(kind, _ANY_RISK) if level == 1 else f"{_CARE.get(kind, _ANY_RISK)} {_MAY_DECLINE}"
            for level in middle
        }
        for kind in taxonomy.risky_types
    }


def select_hint(hints: Hints, verdict: Verdict) -> str | None:
    """Return the hint for a cautioned request; None for other requests.

    A request that is cautioned for its novelty has reached no level; it gets the hint of the mildest one.
    """
    level = max(verdict.level, 1) if verdict.reason == NOVEL else verdict.level
    return find_hint(hints, verdict.type, level) if verdict.decision is Decision.CAUTIONED else None


def find_hint(hints: Hints, kind: str, level: int) -> str | None:
    """Return the hint of a type at a level, or at the nearest milder level that has one; None if there is none."""
    texts = hints.get(kind, {})
    nearest = max((known for known in texts if known <= level), default=None)
    return None if nearest is None else texts[nearest]
