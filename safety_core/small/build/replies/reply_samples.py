"""Requests with the replies that the language model learns in stage 2: refusals, and careful answers behind a hint.

The guard refuses most risky requests before the language model reads them; what passes should still be answered safely.
Deterministic for a seed; knows no model.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from safety_core.data.raw_samples import NamedLabel
from safety_core.small.corpus.hashing import rank
from safety_core.small.corpus.records import Record

_REPLIES_FILE = Path(__file__).with_name("safe_replies.yaml")

_REFUSED = 2
"""Lowest level that is refused; level 1 is answered with care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplySample:
    """A request with the reply to learn."""

    id: str
    prompt: str
    reply: str
    label: NamedLabel
    source: str
    photo: Path | None = None


@cache
def read_safe_replies() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Read the replies: type → ``refuse`` or ``careful`` → texts."""
    replies: Mapping[str, Mapping[str, Sequence[str]]] = yaml.safe_load(_REPLIES_FILE.read_text(encoding="utf-8"))
    return replies


def list_reply_samples(
    words: Sequence[Record], photographs: Sequence[Record], *, count: int, seed: int
) -> Iterator[ReplySample]:
    """List ``count`` risky requests with safe replies, half of them beside a photograph.

    Args:
        words: labelled prompts of a split.
        photographs: photographs of the split; a risky one is not used.
        count: number of requests; fewer if there are not as many.
        seed: chooses requests, replies and photographs.
    """
    risky = sorted((record for record in words if record.label is not None and record.label[1]), key=_rank)
    calm = [record for record in photographs if record.label is not None and not record.label[1]]
    for index, record in enumerate(risky[:count]):
        assert record.label is not None
        rng = random.Random(f"{seed}/{record.id}")
        kind, level = record.label
        manner = "refuse" if level >= _REFUSED else "careful"
        yield ReplySample(
            id=f"reply/{record.id}",
            prompt=record.text,
            reply=rng.choice(read_safe_replies()[kind][manner]),
            label=record.label,
            source=record.source,
            photo=rng.choice(calm).photo if calm and index % 2 else None,
        )


def _rank(record: Record) -> str:
    return rank(record.id)
