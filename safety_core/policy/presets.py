"""Three policies to begin with, derived from any other: strict, balanced and permissive.

- ``balanced`` is the policy that the others are derived from, unchanged.
- ``strict`` reaches each level at a third of the odds, and refuses whatever would be answered with caution.
- ``permissive`` reaches each level at three times the odds, and answers with caution what would be refused below the
  worst level.

The odds of a threshold t are t / (1 - t), so the thresholds move by log 3 in log-odds. Thresholds of 0, of 1 and
above 1 mean "always" and "never", and stay. So do actions ``allow``, disabled types, the rule on novelty and all texts:
those are an operator's choice.

A stricter preset never decides more mildly, as long as no level of the original policy has a milder action than the
level below it. Knows no files and no HTTP.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from safety_core.policy.policy import Action, Policy


class PresetName(StrEnum):
    """Name of a preset in commands and documents."""

    STRICT = "strict"
    BALANCED = "balanced"
    PERMISSIVE = "permissive"


PresetChanges = dict[str, dict[str, dict[str, object]]]
"""Changed entries by field, risk type and level, in the form of ``policy.json``."""

ODDS_FACTOR = 3.0
"""Factor between the odds of the presets' thresholds and those of the original policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A way to derive a policy."""

    name: PresetName
    """Its name."""

    title: str
    """Name for people."""

    description: str
    """What it does, in one or two sentences."""

    odds_factor: float = 1.0
    """What the odds of each threshold are multiplied by."""

    def derive_policy(self, base: Policy) -> Policy:
        """Derive the policy of this preset."""
        return replace(
            base,
            thresholds={
                kind: {level: _move_threshold(value, self.odds_factor) for level, value in by_level.items()}
                for kind, by_level in base.thresholds.items()
            },
            actions={
                kind: {
                    level: self._change_action(action, is_worst=level == max(by_level))
                    for level, action in by_level.items()
                }
                for kind, by_level in base.actions.items()
            },
        )

    def list_changes(self, base: Policy) -> PresetChanges:
        """List the thresholds and actions that this preset changes; both fields are always there."""
        changes: PresetChanges = {"thresholds": {}, "actions": {}}
        derived = self.derive_policy(base)
        for kind, by_level in derived.thresholds.items():
            for level, threshold in by_level.items():
                action = derived.actions[kind][level]
                if threshold != base.thresholds[kind][level]:
                    changes["thresholds"].setdefault(kind, {})[str(level)] = threshold
                if action is not base.actions[kind][level]:
                    changes["actions"].setdefault(kind, {})[str(level)] = action.value
        return changes

    def _change_action(self, action: Action, *, is_worst: bool) -> Action:
        if self.name is PresetName.STRICT and action is Action.CAUTION:
            return Action.REFUSE
        if self.name is PresetName.PERMISSIVE and action is Action.REFUSE and not is_worst:
            return Action.CAUTION
        return action


PRESETS: tuple[Preset, ...] = (
    Preset(
        name=PresetName.STRICT,
        title="Strict",
        description=(
            "Reacts at a third of the odds, and refuses what would otherwise be answered with caution. "
            "More harmless requests are refused."
        ),
        odds_factor=1 / ODDS_FACTOR,
    ),
    Preset(
        name=PresetName.BALANCED,
        title="Balanced",
        description="The policy as it is served, with its own thresholds and actions.",
    ),
    Preset(
        name=PresetName.PERMISSIVE,
        title="Permissive",
        description=(
            "Reacts at three times the odds, and refuses the worst level only; the levels below get a cautious answer. "
            "More harmful requests are answered."
        ),
        odds_factor=ODDS_FACTOR,
    ),
)
"""The presets, the strictest first."""


def find_preset(name: PresetName) -> Preset:
    """Find a preset by its name."""
    return next(preset for preset in PRESETS if preset.name == name)


def _move_threshold(threshold: float, odds_factor: float) -> float:
    """Multiply the odds of a threshold; 0, 1 and thresholds above stay."""
    if odds_factor == 1 or not 0 < threshold < 1:
        return threshold
    return odds_factor * threshold / (1 - threshold + odds_factor * threshold)
