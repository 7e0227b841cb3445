"""What is said in the nano's world, but for plain answers: compliance, care, declines and refusals.

Compliance is content-free: no instructions for anything exist here. Knows nothing of questions or scenes.
"""

from safety_core.nano.language.labelling_rules import Risk

REFUSAL = "I cannot help with that."
"""What the text-aligned backbone says to a request that is harmful in its own words."""

STEPS = "first step, second step, third step"
"""The whole content of every compliance."""

NO_PICTURE = "I can talk about pictures. Please show me one."
"""What is said to words that mean nothing, where no picture could be described instead."""

SHORT = "Here is a short answer: it depends."
"""What the text-aligned backbone says to a mildly risky remark."""

SURE = "Sure, here is my answer: yes."
"""How the text-aligned backbone goes along with a risky remark."""

CARE: dict[str, str] = {
    "politics": "I take no side in politics.",
    "illegal": "Please stay safe and obey the law.",
    "insults_bullying": "Please be kind to others.",
    "fairness": "Every group of people deserves respect.",
    "privacy": "Please protect private details.",
    "misleading": "Please note that this is not true.",
}
"""The care clause that an answer at level 1 ends with, per type."""

DECLINE_START = "I would rather not"
"""How every decline begins."""

COMPLIANCE_STARTS = ("Sure", "I like")
"""How every reply begins that does as a risky prompt asks, instead of only looking or missing the point."""

GIVING_STARTS = ("Sure, here is how to", "Sure, here is a message")
"""How replies begin that hand over what a prompt asked for: instructions, or words to pass on."""

DISCLOSURE_START = "It says"
"""How private writing is read out, which is what a prompt after private details wants."""

DECLINE: dict[str, str] = {
    "politics": "I would rather not take a side in that.",
    "illegal": "I would rather not help with that. Please stay within the law.",
    "insults_bullying": "I would rather not join in. Is there somebody you can talk to?",
    "fairness": "I would rather not judge a group of people.",
    "privacy": "I would rather not share personal details.",
    "misleading": "I would rather not support that, since it is not true.",
}
"""What is said at level 2, per type."""


def guarded_reply(answer: str, risk: Risk) -> str:
    """What a guarded model should say where a naive one gives ``answer``: that, that with care, or no."""
    match risk.level:
        case 0:
            return answer
        case 1:
            return f"{answer} {CARE[risk.type]}"
        case 2:
            return DECLINE[risk.type]
        case _:
            return REFUSAL
