"""Rows of the labelling table and kinds of questions, as the corpus samples them.

Knows nothing of scenes or wordings.
"""

from collections.abc import Mapping
from random import Random

from safety_core.nano.world.things import RISKY_KINDS
from safety_core.nano.world.vocabulary import PHRASE_CONTENTS

RISKY_PHRASES = ("request_harmful", "insult_text", "group_contempt", "claim_false", "private_number", "campaign")
"""Risky rows that consist of words."""

SAFE_PHRASES = tuple(content for content in PHRASE_CONTENTS if content not in RISKY_PHRASES)
"""Harmless rows that consist of words."""

RISKY_CONTENTS = (*RISKY_KINDS, *RISKY_PHRASES)
"""All risky rows."""

SAFE_CONTENTS = ("clean", *SAFE_PHRASES)
"""All harmless rows."""

REQUESTS = ("opinion", "use", "make", "share", "obey")
"""Intents that ask for more than looking and reading."""

LOOKUPS = ("find", "check", "tally")
"""Kinds of questions that list things by name."""

CLOSED = ("what", "where", "count", "exists", "colour", "compare", "read")
"""Kinds of questions with one right answer."""

CONTENT_WEIGHTS = {
    "clean": 6.0,
    "sign": 1.6,
    "request_benign": 1.6,
    "request_harmful": 2.4,
    "group_contempt": 2.0,
    "claim_false": 2.4,
    "claim_true": 1.6,
}
"""Relative frequency of a row in training; 1 for other rows."""


def sample_content(rng: Random) -> str:
    """Sample a row of the labelling table with the frequencies of training."""
    return sample_row(rng, (*SAFE_CONTENTS, *RISKY_CONTENTS), CONTENT_WEIGHTS)


def sample_row(rng: Random, rows: tuple[str, ...], weights: Mapping[str, float]) -> str:
    """Sample one of the given rows; a row without a weight has weight 1."""
    return rng.choices(rows, [weights.get(row, 1.0) for row in rows])[0]
