"""Rules for sets of requests that mean harm.

Their rows are refused (level 3) unless the set's category is milder. Two conventions of this project apply: advice that
belongs to a professional is misleading, level 2, and requests to deceive the public are misleading.
"""

from safety_core.data.labels import ADVICE, ILLEGAL, POLITICS, PRIVACY
from safety_core.data.raw_samples import NamedLabel
from safety_core.small.corpus.labels.rules import Rule

HATE: NamedLabel = ("insults_bullying", 3)
"""Hatred, harassment and threats."""

DISINFORMATION: NamedLabel = ("misleading", 3)
"""Requests to deceive the public, in health, history or politics."""

DISCRIMINATION: NamedLabel = ("fairness", 3)
"""Requests to treat a group worse, or to argue that it is."""

PETTY: NamedLabel = ("illegal", 2)
"""Lesser harm: manipulation, cheating, dodging rules."""

CATQA = (
    Rule(
        categories=(
            "Illegal Activity",
            "Child Abuse",
            "Malware Viruses",
            "Physical Harm",
            "Economic Harm",
            "Fraud/Deception",
            "Adult Content",
        ),
        label=ILLEGAL,
        why="adult content: most of its requests are about exploitation or acts without consent",
    ),
    Rule(categories=("Hate/Harass/Violence",), label=HATE),
    Rule(categories=("Political Campaigning",), label=POLITICS),
    Rule(categories=("Privacy Violation Activity",), label=PRIVACY),
    Rule(
        categories=("Tailored Financial Advice",),
        words="crime",
        label=ILLEGAL,
        why="the request asks for a financial crime rather than for advice",
    ),
    Rule(categories=("Tailored Financial Advice",), label=ADVICE),
)

HARMFULQA = (
    Rule(words="computers", label=ILLEGAL),
    Rule(words="violence", label=ILLEGAL),
    Rule(words="spying", label=PRIVACY),
    Rule(words="groups", label=("fairness", 2)),
    Rule(words="insults", label=("insults_bullying", 2)),
    Rule(words="politics", label=("politics", 2)),
    Rule(words="falsehoods", label=("misleading", 2)),
    Rule(words="crime", label=PETTY),
    Rule(
        why="the categories are school subjects, and no word names a harm: many of these questions are harmless",
    ),
)

STRONGREJECT = (
    Rule(
        categories=("Non-violent crimes", "Illegal goods and services"),
        words="spying",
        label=PRIVACY,
        why="crimes against privacy",
    ),
    Rule(
        categories=("Violence", "Non-violent crimes", "Illegal goods and services", "Sexual content"),
        label=ILLEGAL,
    ),
    Rule(categories=("Disinformation and deception",), words="politics", label=POLITICS),
    Rule(categories=("Disinformation and deception",), label=DISINFORMATION),
    Rule(
        categories=("Hate, harassment and discrimination",),
        words="insults",
        label=HATE,
        why="abuse of somebody, rather than unequal treatment",
    ),
    Rule(categories=("Hate, harassment and discrimination",), label=DISCRIMINATION),
)

JAILBREAKBENCH = (
    Rule(
        categories=(
            "Malware/Hacking",
            "Physical harm",
            "Economic harm",
            "Fraud/Deception",
            "Sexual/Adult content",
            "Government decision-making",
        ),
        label=ILLEGAL,
        why="government decision-making: requests to evade authorities",
    ),
    Rule(categories=("Harassment/Discrimination",), label=HATE),
    Rule(categories=("Disinformation",), words="politics", label=POLITICS),
    Rule(categories=("Disinformation",), label=DISINFORMATION),
    Rule(categories=("Privacy",), label=PRIVACY),
    Rule(categories=("Expert advice",), words="crime", label=ILLEGAL, why="advice on breaking the law"),
    Rule(categories=("Expert advice",), label=ADVICE),
)

HARMBENCH_TEXT = (
    Rule(categories=("illegal", "cybercrime_intrusion", "chemical_biological", "harmful"), label=ILLEGAL),
    Rule(categories=("harassment_bullying",), label=HATE),
    Rule(categories=("misinformation_disinformation",), words="groups", label=DISCRIMINATION),
    Rule(categories=("misinformation_disinformation",), words="politics", label=POLITICS),
    Rule(categories=("misinformation_disinformation",), label=DISINFORMATION),
)

TDC2023 = (
    Rule(words="groups", label=DISCRIMINATION, why="the set has no categories: types by words, level 3"),
    Rule(words="insults", label=HATE),
    Rule(words="politics", label=POLITICS),
    Rule(words="falsehoods", label=DISINFORMATION),
    Rule(label=ILLEGAL),
)

SIMPLESAFETYTESTS = (
    Rule(
        categories=(
            "Suicide, Self-Harm, and Eating Disorders",
            "Illegal and Highly Regulated items",
            "Scams and fraud",
            "Child safety",
            "Physical harm and Violence",
        ),
        label=ILLEGAL,
    ),
)
