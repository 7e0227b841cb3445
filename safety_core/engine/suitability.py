"""Describes the intended uses of a checkpoint: one text for server, pages and documents. Knows no model."""

from collections.abc import Mapping

NANO_COMMAND = "safevlm nano build"
"""``provenance.command`` of checkpoints that this repository trains from scratch."""

NANO = (
    "A miniature that shows the whole system at work: it knows pictograms, coloured shapes and printed words. "
    "It does not understand photographs or prompts outside its small grammar, and does not guard against them."
)
UNTRAINED = "Its safety modules were never trained: it guards nothing."
TRAINED = (
    "It guards against what it was trained on. "
    "Measure it on your own data with `safevlm evaluate` before you rely on it."
)


def describe_suitability(provenance: Mapping[str, object]) -> str:
    """Describe the intended and unsupported uses of a checkpoint.

    Args:
        provenance: origin of the checkpoint, from ``safevlm.json``.
    """
    if provenance.get("trained") is not True:
        return UNTRAINED
    return NANO if is_miniature(provenance) else TRAINED


def is_miniature(provenance: Mapping[str, object]) -> bool:
    """Whether a checkpoint knows a drawn world only: this repository trained it from scratch."""
    command = provenance.get("command")
    return isinstance(command, str) and command.startswith(NANO_COMMAND)
