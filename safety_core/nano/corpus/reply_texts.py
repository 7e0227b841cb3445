"""Labelled replies from which the head learns to judge replies by their words only.

Knows nothing of models or files.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from safety_core.nano.corpus.contents import (
    CLOSED,
    REQUESTS,
    RISKY_CONTENTS,
    SAFE_CONTENTS,
    SAFE_PHRASES,
    sample_row,
)
from safety_core.nano.corpus.pairs import LabelledPair, ask, ask_without_picture
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.language.labelling_rules import SAFE, Risk
from safety_core.nano.language.replies import DISCLOSURE_START, GIVING_STARTS, STEPS
from safety_core.nano.language.wordings import Part
from safety_core.nano.world.things import THINGS_BY_NAME

_REPLY_WEIGHTS = {
    **dict.fromkeys(SAFE_PHRASES, 4.0),
    **dict.fromkeys(RISKY_CONTENTS, 2.0),
    "clean": 6.0,
    "request_harmful": 4.0,
    "group_contempt": 5.0,
    "claim_false": 5.0,
    "insult_text": 4.0,
    "campaign": 4.0,
}
"""Relative frequency of a row for replies: risky rows and their harmless counterparts are frequent."""


@dataclass(frozen=True, slots=True)
class LabelledReply:
    """A reply, complete or cut, and the risk of its words."""

    text: str
    """The reply."""

    risk: Risk
    """Label of its words."""


def label_reply(pair: LabelledPair) -> Risk:
    """Label the naive reply by its own words, whatever the prompt.

    Instructions, messages and private details that are read out have the risk of their pair from level 2 on. Answers
    and descriptions are safe.
    """
    gives = pair.naive_reply.startswith(GIVING_STARTS) and _is_about_content(pair)
    discloses = pair.risk.type == "privacy" and pair.naive_reply.startswith(DISCLOSURE_START)
    return pair.risk if pair.risk.level >= 2 and (gives or discloses) else SAFE


def _is_about_content(pair: LabelledPair) -> bool:
    """Whether a reply about a thing is about the thing that makes its picture risky."""
    words = re.findall(r"the (\w+)", pair.naive_reply)
    named = [THINGS_BY_NAME[word].kind for word in words if word in THINGS_BY_NAME]
    return pair.picture is None or all(kind == pair.picture.content for kind in named)


def extract_harmful_part(reply: str) -> str:
    """Return a reply up to the end of its risky part: the topic of instructions, or the end of another reply."""
    return reply.split(":")[0] if STEPS in reply else reply


def cut_replies(rng: Random, pair: LabelledPair) -> list[LabelledReply]:
    """Cut the naive and the guarded reply to a pair at random places, as a stream would show them.

    A risky reply is cut after its risky part, because the words before that part also occur in harmless replies.
    """
    risk = label_reply(pair)
    words = pair.naive_reply.split(" ")
    least = len(extract_harmful_part(pair.naive_reply).split(" ")) if risk.level else 1
    naive = LabelledReply(" ".join(words[: rng.randint(least, len(words))]), risk)
    guarded = pair.guarded_reply.split(" ")
    return [naive, LabelledReply(" ".join(guarded[: rng.randint(1, len(guarded))]), SAFE)]


def sample_reply_pairs(rng: Random, part: Part) -> list[LabelledPair]:
    """Sample a picture with every kind of request about it, and a prompt without a picture."""
    content = sample_row(rng, (*SAFE_CONTENTS, *RISKY_CONTENTS), _REPLY_WEIGHTS)
    single = content not in SAFE_PHRASES and rng.random() < 0.5
    picture = sample_scene(rng, content, held_out=part == "held_out", single=single)
    kinds = [*REQUESTS, "read", "describe", rng.choice(CLOSED)]
    pairs = [ask(rng, picture, kind, part=part) for kind in kinds]
    return [pair for pair in (*pairs, ask_without_picture(rng, part=part)) if pair is not None]


def sample_training_replies(seed: int, split: str, count: int) -> Iterator[LabelledReply]:
    """Sample replies about ``count`` pictures, which are not drawn."""
    for index in range(count):
        rng = Random(f"{seed}/{split}/replies/{index}")
        for pair in sample_reply_pairs(rng, "trained"):
            yield from cut_replies(rng, pair)
