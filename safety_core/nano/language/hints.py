"""The safety hints of the nano. Knows nothing of questions or scenes."""

from safety_core.nano.language.replies import CARE, DECLINE
from safety_core.taxonomy import DEFAULT_TAXONOMY

HINTS: dict[str, dict[str, str]] = {
    risk_type: {
        "caution": f"(note: {risk_type.replace('_', ' ')}, end with: {CARE[risk_type]})",
        "may_refuse": f"(note: {risk_type.replace('_', ' ')}, say: {DECLINE[risk_type]})",
    }
    for risk_type in DEFAULT_TAXONOMY.risky_types
}
"""Type → level → hint. Each hint contains the reply: a language model of four layers learns to copy words from its
prompt sooner than it learns six names for them."""
