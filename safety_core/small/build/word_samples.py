"""The words that the safety head is trained on: users' words, and lettering as an OCR reader returns it.

Deterministic for a seed. Knows no model, no pixels and no file format.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from safety_core.data.raw_samples import NamedLabel
from safety_core.lettering.framing import frame_lettering
from safety_core.small.build.reading_noise import imitate_reading
from safety_core.small.corpus.hashing import rank
from safety_core.small.corpus.reading.own_texts import PREFIX
from safety_core.small.corpus.records import Record

_MOST: Mapping[tuple[str, int], int] = {
    ("tweets_davidson", 1): 900,
    ("tweets_davidson", 0): 700,
    ("bbq", 0): 350,
    ("bbq", 1): 350,
    ("truthfulqa", 0): 900,
    ("truthfulqa", 1): 600,
    ("covid_claims", 0): 600,
    ("covid_claims", 1): 600,
    ("hatecheck", 3): 700,
}
"""Largest number of texts of a set and level: sets whose labels are noisy, or whose texts resemble each other."""

_LETTERING_SHARE = 0.35
"""Share of the texts of public sets that are also trained on as lettering."""

_REPLY_TOPICS = f"{PREFIX}reply-"
"""Begins the families of own texts that read like an assistant's reply."""

_OPENING_WORDS = (3, 10)
"""Fewest and most words of a reply's opening."""

_NEIGHBOURS = 2
"""Texts that join a reply with a harmless one, for each reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordSample:
    """A text as the head reads it, and its label."""

    id: str
    text: str
    label: NamedLabel
    source: str


def list_word_samples(records: Sequence[Record], *, seed: int) -> Iterator[WordSample]:
    """List texts for the head, from the labelled texts of a split.

    A text that may be a user's is trained on as it is. A text that may be lettering is trained on in the frame for
    lettering, with the noise of a reader; without the frame too, unless only a picture makes it risky (personal data).
    The output rail judges windows of a reply. So a text that reads like a reply is also trained on together with a
    harmless reply, and a harmless one by its first words alone.
    """
    calm = [record.text for record in records if record.family.startswith(_REPLY_TOPICS) and not record.is_harmful]
    for record in _limit(record for record in records if record.text and record.label is not None):
        assert record.label is not None
        rng = random.Random(f"{seed}/{record.id}")
        is_own = record.source.startswith(PREFIX)
        if record.surface in ("prompt", "both"):
            yield _create(record, "words", record.text)
        if record.surface == "lettering" or (record.surface == "both" and (is_own or rng.random() < _LETTERING_SHARE)):
            read = imitate_reading(record.text, rng)
            yield _create(record, "framed", frame_lettering(read))
            if record.surface == "lettering" and record.label[0] != "privacy":
                yield _create(record, "bare", imitate_reading(record.text, rng))
        if record.family.startswith(_REPLY_TOPICS):
            yield from _list_reply_windows(record, calm, rng)


def _list_reply_windows(record: Record, calm: Sequence[str], rng: random.Random) -> Iterator[WordSample]:
    """List windows of longer replies that contain a reply.

    Args:
        record: the reply.
        calm: texts of all harmless replies.
        rng: chooses the windows.
    """
    words = record.text.split()
    if not record.is_harmful and len(words) > _OPENING_WORDS[0]:  # the opening of a harmful reply may be harmless
        yield _create(record, "opening", " ".join(words[: rng.randint(*_OPENING_WORDS)]))
    for index in range(_NEIGHBOURS if calm else 0):
        pair = [record.text, rng.choice(calm)]
        rng.shuffle(pair)
        yield _create(record, f"joined{index}", " ".join(pair))


def _limit(records: Iterable[Record]) -> Iterator[Record]:
    """Drop texts of a set and level beyond its limit, in an order that looks random and never changes."""
    limited: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in records:
        assert record.label is not None
        key = (record.source, record.label[1])
        if key in _MOST:
            limited[key].append(record)
        else:
            yield record
    for key, group in limited.items():
        yield from sorted(group, key=lambda record: rank(record.id))[: _MOST[key]]


def _create(record: Record, form: str, text: str) -> WordSample:
    assert record.label is not None
    return WordSample(id=f"{record.id}#{form}", text=text, label=record.label, source=record.source)
