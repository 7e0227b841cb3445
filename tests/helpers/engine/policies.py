"""Policies whose decision does not depend on the scores."""

from dataclasses import replace

from safety_core.policy.policy import Decision, Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY as T

NEVER, ALWAYS = 2.0, 0.0


def create_forced_policy(decision: Decision) -> Policy:
    """A policy that makes the same decision for all scores."""
    reached = {Decision.ALLOWED: (), Decision.CAUTIONED: (1,), Decision.REFUSED: (1, 2, 3)}[decision]
    thresholds = {name: {k: ALWAYS if k in reached else NEVER for k in (1, 2, 3)} for name in T.risky_types}
    return replace(Policy.create_default(T), thresholds=thresholds)
