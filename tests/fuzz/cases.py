"""Numbered damaged files: with the same encoders, the same seed and number give the same file on every machine."""

from dataclasses import dataclass
from random import Random

from tests.fuzz.corpora import corpora
from tests.fuzz.mutations import damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One damaged file."""

    seed: int
    """Seed of the run."""

    number: int
    """Number of the file in the run."""

    origin: str
    """Format and name of the undamaged file."""

    data: bytes
    """Content of the damaged file."""

    @property
    def name(self) -> str:
        """Argument that repeats the case: ``python -m tests.fuzz SEED:NUMBER``."""
        return f"{self.seed}:{self.number}"


def case(seed: int, number: int) -> Case:
    """Create the damaged file with this number."""
    random = Random(f"{seed}:{number}")
    kind = random.choice(sorted(corpora()))
    origin = random.choice(sorted(corpora()[kind]))
    other = corpora()[kind if random.random() < 0.75 else random.choice(sorted(corpora()))]
    data = damaged(random, corpora()[kind][origin], random.choice(list(other.values())))
    return Case(seed=seed, number=number, origin=f"{kind} {origin}", data=data)


def format_complaints(complaints: list[str]) -> str:
    """Join complaints, followed by the command that repeats a case."""
    return "\n".join([*complaints, "to see one again: python -m tests.fuzz SEED:NUMBER"])
