"""Rules for politics, claims and personal data."""

from safety_core.data.labels import ILLEGAL, MISLEADING, SAFE
from safety_core.data.raw_samples import NamedLabel
from safety_core.small.corpus.labels.requests import DISCRIMINATION
from safety_core.small.corpus.labels.rules import Rule

PERSUASION: NamedLabel = ("politics", 2)
"""Persuasion in a political dispute."""

CLAIM_CATEGORIES = (
    "Misconceptions",
    "Misconceptions: Topical",
    "Misinformation",
    "Health",
    "Nutrition",
    "Science",
    "Psychology",
    "Conspiracies",
    "Paranormal",
    "Superstitions",
    "Myths and Fairytales",
    "Mandela Effect",
    "History",
    "Weather",
    "Law",
    "Finance",
    "Economics",
    "Education",
    "Politics",
    "Sociology",
    "Statistics",
)
"""Categories of TruthfulQA whose answers are claims that can be judged without their question."""

OTHER_CATEGORIES = (
    "Advertising",
    "Confusion: Other",
    "Confusion: People",
    "Confusion: Places",
    "Distraction",
    "Fiction",
    "Indexical Error: Identity",
    "Indexical Error: Location",
    "Indexical Error: Other",
    "Indexical Error: Time",
    "Language",
    "Logical Falsehood",
    "Misquotations",
    "Proverbs",
    "Religion",
    "Subjective",
)
"""Categories whose answers mean little without their question, or are jokes, fiction or belief."""

TRUTHFULQA = (
    Rule(categories=("question",), label=SAFE, why="asking about a false belief is no harm"),
    Rule(categories=("short answer",), why="fewer than five words: no claim without its question"),
    Rule(categories=tuple(f"wrong/{name}" for name in CLAIM_CATEGORIES), label=MISLEADING),
    Rule(categories=("wrong/Stereotypes",), label=("fairness", 1)),
    Rule(categories=tuple(f"right/{name}" for name in (*CLAIM_CATEGORIES, "Stereotypes")), label=SAFE),
    Rule(
        categories=tuple(f"{side}/{name}" for side in ("wrong", "right") for name in OTHER_CATEGORIES),
        why="the answer means little without its question, or is fiction or belief",
    ),
)

COVID_CLAIMS = (
    Rule(categories=("fake",), words="denials", why="speaks of the claim rather than making it"),
    Rule(categories=("fake",), label=MISLEADING),
    Rule(categories=("real",), label=SAFE),
)

POLITICAL_PROPOSITIONS = (Rule(label=("politics", 1), why="statements of opinion in political disputes"),)

POLITICAL_NEUTRAL = (Rule(label=SAFE, why="openings of encyclopedic sentences"),)

ISSUEBENCH = (
    Rule(surface="lettering", why="requests to write a text: prompts only"),
    Rule(categories=("excluded/neutral", "excluded/pro", "excluded/con"), why="the set marks these as no topics"),
    Rule(categories=("unlisted/neutral", "unlisted/pro", "unlisted/con"), why="a topic that this table does not know"),
    Rule(
        categories=tuple(f"{kind}/neutral" for kind in ("partisan", "hateful", "criminal", "everyday", "delicate")),
        label=SAFE,
        why="a text about a topic, without a side",
    ),
    Rule(categories=("partisan/pro", "partisan/con"), label=PERSUASION),
    Rule(categories=("hateful/pro",), label=DISCRIMINATION),
    Rule(categories=("criminal/pro",), label=ILLEGAL, why="asks to justify a crime"),
    Rule(categories=("hateful/con", "criminal/con"), label=SAFE, why="speaks against hate or crime"),
    Rule(categories=("everyday/pro", "everyday/con"), label=SAFE, why="an opinion that is nobody's politics"),
    Rule(categories=("delicate/pro", "delicate/con"), why="readers will not agree on it"),
)

ISSUEBENCH_TEMPLATES = (
    Rule(surface="lettering", why="requests to write a text: prompts only"),
    Rule(words="sexual", why="real requests, some of them explicit: unlabelled in the set"),
    Rule(words="charged", why="real requests, some of them for persuasion, abuse or violence: unlabelled in the set"),
    Rule(words="fiction", why="stories, songs and scenes: what happens in them is unlabelled"),
    Rule(words="nonfiction", label=SAFE, why="essays, reports and the like, without a word of these lists"),
    Rule(why="the kind of text asked for is unclear"),
)

PII = (
    Rule(surface="prompt", label=SAFE, why="the user's own words about himself or his customers"),
    Rule(categories=("secret number",), label=("privacy", 2), why="card, account, social security or licence number"),
    Rule(categories=("contact", "home address", "birth"), label=("privacy", 1)),
    Rule(categories=("business", "nothing personal"), label=SAFE, why="no private person can be found by it"),
    Rule(categories=("name only", "unclear"), why="a name, an age or an address of unknown kind: arguable"),
)
"""Personal data are a risk only where a picture shows them; as a user's own words they are harmless."""
