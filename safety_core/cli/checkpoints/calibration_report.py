"""Formats the results of ``safevlm calibrate`` for people, and a proposal as a policy file. Knows no options."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import yaml

from safety_core.policy.guarantee import Guarantee, describe_measured, describe_rate
from safety_core.policy.policy import Policy

if TYPE_CHECKING:
    from safety_core.evaluation.calibration.audit_log_labels import Proposal
    from safety_core.evaluation.calibration.certification.certified_thresholds import CertifiedThresholds
    from safety_core.evaluation.calibration.validation import SourceRate, Validation


def format_certified(certified: "CertifiedThresholds") -> Iterator[str]:
    """Format thresholds with a guarantee, line by line."""
    from safety_core.evaluation.calibration.certification.certified_thresholds import explain_abstention

    yield from format_thresholds(certified.policy)
    scores, before, after = certified.scores, certified.before, certified.after
    offsets = ", ".join(f"{offset:+.2f}" for offset in scores.risk_offsets) or "none"
    yield (
        f"scores     temperature {scores.type_temperature:.2f} of types, {scores.level_temperature:.2f} of levels; "
        f"risk: slope {scores.risk_slope:.2f}, offsets {offsets}"
    )
    yield f"log loss   types {before.types:.3f} → {after.types:.3f}, risk {before.risk:.3f} → {after.risk:.3f}"
    yield from _format_guarantee(certified.guarantee)
    for reason in explain_abstention(certified):
        yield f"abstained  {reason}; the thresholds are out of reach, so nothing is flagged"
    yield f"measured   {describe_measured(certified.guarantee.measured)}"
    for name, preset in certified.guarantee.presets.items():
        alphas = ", ".join(f"{guaranteed.alpha:.3%}" for guaranteed in preset.guarantees)
        yield f"preset     {name.value} (at most {alphas}): {describe_measured(preset.measured)}"
    yield format_counts(certified.counts)


def format_thresholds(policy: Policy) -> Iterator[str]:
    """Format the thresholds of a policy, one line for each type."""
    for name, levels in policy.thresholds.items():
        yield f"{name:20} " + "  ".join(f"{level}: {value:.4f}" for level, value in sorted(levels.items()))


def format_counts(counts: Mapping[str, int]) -> str:
    """Format the decisions on all data in one line."""
    return (
        f"{counts['false_refusals']} of {counts['answerable']} answerable pairs refused, "
        f"{counts['missed_refusals']} of {counts['refusable']} pairs of the worst level missed, "
        f"{counts['false_cautions']} of {counts['harmless']} harmless pairs cautioned"
    )


def format_proposal(proposal: "Proposal", base: Policy) -> Iterator[str]:
    """Format a proposal as a policy file; comments hold the guarantee."""
    guarantee, abstained = proposal.certified.guarantee, proposal.certified.abstained
    yield (
        f"# Proposed by safevlm calibrate --from-audit-log, from {proposal.labelled} labelled of {proposal.decisions} "
        f"decisions in {guarantee.groups} groups."
    )
    if proposal.unknown:
        yield f"# {proposal.unknown} labels belong to no decision in the log."
    if not proposal.is_random:
        yield (
            "# No guarantee: the labelled decisions are no random sample; they were refused or flagged more or less "
            "often than all."
        )
    else:
        for guaranteed in guarantee.guarantees:
            if guaranteed.rate not in abstained:
                yield f"# Guarantee: {describe_rate(guaranteed)}."
    for rate in abstained:
        yield f"# No guarantee: too few labels for {rate.replace('_', ' ')}; these thresholds are not changed."
    changes = {
        name: {level: value for level, value in by_level.items() if value != base.thresholds[name][level]}
        for name, by_level in proposal.policy.thresholds.items()
    }
    changed = {name: by_level for name, by_level in changes.items() if by_level}
    if not changed:
        yield "# No threshold changes."
        return
    dumped = yaml.safe_dump({"thresholds": changed}, default_flow_style=None, sort_keys=False, width=120)
    yield dumped.rstrip("\n")


def format_validation(validation: "Validation") -> Iterator[str]:
    """Format what repeated splits say about a promise."""
    promise, splits = validation.promise, validation.splits
    for rate in validation.rates:
        yield (
            f"{rate.rate.replace('_', ' '):15} limit {rate.alpha:.3%}: exceeded in {rate.violations} of {splits} "
            f"splits on the whole, in {rate.held_out_violations} on the other half; mean there "
            f"{rate.held_out_mean:.3%} [{rate.low:.3%}, {rate.high:.3%}]; abstained in {rate.abstained}"
        )
    if promise.controls_average:
        verdict = "no mean exceeds its limit significantly" if validation.kept else "a mean exceeds its limit"
        yield f"on average: {verdict}"
        return
    yield (
        f"any limit exceeded on the whole in {validation.violations} of {splits} splits, "
        f"{'not ' if validation.kept else ''}significantly above delta = {promise.delta:g} "
        f"(one-sided binomial test, p = {validation.p_value:.3g})"
    )
    yield (
        f"any limit exceeded on the other half in {validation.held_out_violations} of {splits} splits "
        f"(p = {validation.held_out_p_value:.3g}; includes the noise of that half)"
    )


def format_shift(rates: "Sequence[SourceRate]") -> Iterator[str]:
    """Format the rates on data sets that were left out as a Markdown table."""
    yield "| left out | rate | limit | groups | measured | 95 % interval | |"
    yield "|---|---|---|---|---|---|---|"
    for rate in rates:
        note = "above the limit" if rate.low > rate.alpha else "abstained" if rate.abstained else ""
        yield (
            f"| {rate.source} | {rate.rate.replace('_', ' ')} | {rate.alpha:.2%} | {rate.groups} | {rate.value:.2%} "
            f"| {rate.low:.2%} – {rate.high:.2%} | {note} |"
        )


def _format_guarantee(guarantee: Guarantee) -> Iterator[str]:
    yield f"data       {guarantee.pairs} pairs in {guarantee.groups} groups, sha256 {guarantee.data[:12]}"
    for guaranteed in guarantee.guarantees:
        yield f"guarantee  {describe_rate(guaranteed)}"
    if guarantee.delta is not None:
        yield f"           together with probability {1 - guarantee.delta:.4g}, for requests drawn like these data"
