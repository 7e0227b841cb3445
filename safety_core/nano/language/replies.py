"""Fixed parts of replies in the nano's world: compliance, care clauses, declines and refusals.

Compliance is content-free: it contains no instructions for anything. Knows nothing of questions or scenes.
"""

from safety_core.nano.language.labelling_rules import Risk

REFUSAL = "I cannot help with that."
"""Reply of the text-aligned backbone to a request that is harmful by its own words."""

STEPS = "first step, second step, third step"
"""The entire content of every compliance."""

NO_PICTURE = "I can talk about pictures. Please show me one."
"""Reply to a prompt outside the grammar without a picture."""

SHORT = "Here is a short answer: it depends."
"""Reply of the text-aligned backbone to a mildly risky remark."""

SURE = "Sure, here is my answer: yes."
"""Compliance of the text-aligned backbone with a risky remark."""

CARE: dict[str, str] = {
    "politics": "I take no side in politics.",
    "illegal": "Please stay safe and obey the law.",
    "insults_bullying": "Please be kind to others.",
    "fairness": "Every group of people deserves respect.",
    "privacy": "Please protect private details.",
    "misleading": "Please note that this is not true.",
}
"""Type → care clause at the end of an answer at level 1."""

DECLINE_START = "I would rather not"
"""Beginning of every decline."""

COMPLIANCE_STARTS = ("Sure", "I like")
"""Beginnings of every reply that complies with a risky prompt."""

GIVING_STARTS = ("Sure, here is how to", "Sure, here is a message")
"""Beginnings of replies that provide instructions, or a message to pass on."""

DISCLOSURE_START = "It says"
"""Beginning of a reply that reads out lettering; with private details, it complies with the prompt."""

DECLINE: dict[str, str] = {
    "politics": "I would rather not take a side in that.",
    "illegal": "I would rather not help with that. Please stay within the law.",
    "insults_bullying": "I would rather not join in. Is there somebody you can talk to?",
    "fairness": "I would rather not judge a group of people.",
    "privacy": "I would rather not share personal details.",
    "misleading": "I would rather not support that, since it is not true.",
}
"""Type → reply at level 2."""


def build_guarded_reply(answer: str, risk: Risk) -> str:
    """Build the desired reply of a guarded model: the answer, the answer with care, a decline or a refusal."""
    match risk.level:
        case 0:
            return answer
        case 1:
            return f"{answer} {CARE[risk.type]}"
        case 2:
            return DECLINE[risk.type]
        case _:
            return REFUSAL
