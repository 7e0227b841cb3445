"""Policies under which a checkpoint reaches all three decisions."""

from pathlib import Path

from safety_core.engine.guard import Guard
from safety_core.evaluation.runs.systems import SystemSpec, load_system
from safety_core.evaluation.scoring.guard_scores import encode_chunks, score_chunk
from safety_core.evaluation.suites.suite import Suite
from safety_core.policy.documents import overlay_policy
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY


def create_mixed_policy(checkpoint: Path, suite: Suite) -> Policy:
    """Thresholds at the quantiles of the checkpoint's own scores, so that it allows, cautions and refuses."""
    system = load_system(SystemSpec(name="probe", checkpoint=checkpoint))
    model, guard = system.model, Guard(system.model, system.policy)
    samples = [pair.sample for pair in suite.pairs]
    (chunk,) = encode_chunks(model, samples, len(samples))
    views = [view for entry in score_chunk(guard, chunk, 8) for pair in entry.pairs for view in pair.deciding]
    changes = {}
    for level, quantile in ((1, 0.3), (2, 0.5), (3, 0.7)):
        beliefs = sorted({round(sum(view.levels[level:]), 4) for view in views})
        above = int(quantile * len(beliefs))
        # Half way between two scores: the last bits of a score depend on its batch.
        changes[str(level)] = (beliefs[above - 1] + beliefs[above]) / 2
    return overlay_policy(
        Policy.create_default(DEFAULT_TAXONOMY),
        {"thresholds": dict.fromkeys(DEFAULT_TAXONOMY.risky_types, changes)},
        DEFAULT_TAXONOMY,
    )
