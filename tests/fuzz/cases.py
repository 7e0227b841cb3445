"""Numbered damaged files: the same seed and number make the same file, wherever the same encoders are installed."""

from dataclasses import dataclass
from random import Random

from tests.fuzz.corpora import corpora
from tests.fuzz.mutations import damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One damaged file."""

    seed: int
    """Which of endlessly many runs it belongs to."""

    number: int
    """Which file of this run it is."""

    origin: str
    """What it was before."""

    data: bytes
    """What it is now."""

    @property
    def name(self) -> str:
        """How it is asked for again: ``python -m tests.fuzz SEED:NUMBER``."""
        return f"{self.seed}:{self.number}"


def case(seed: int, number: int) -> Case:
    """The file of a number."""
    random = Random(f"{seed}:{number}")
    kind = random.choice(sorted(corpora()))
    origin = random.choice(sorted(corpora()[kind]))
    other = corpora()[kind if random.random() < 0.75 else random.choice(sorted(corpora()))]
    data = damaged(random, corpora()[kind][origin], random.choice(list(other.values())))
    return Case(seed=seed, number=number, origin=f"{kind} {origin}", data=data)


def format_complaints(complaints: list[str]) -> str:
    """Complaints, and how to look into them."""
    return "\n".join([*complaints, "to see one again: python -m tests.fuzz SEED:NUMBER"])
