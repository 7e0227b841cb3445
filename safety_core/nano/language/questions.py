"""A question about a scene, or without one, and the random choice of its wording.

Knows nothing of drawing or models.
"""

from dataclasses import dataclass
from random import Random

from safety_core.nano.language.labelling_rules import SAFE, Risk
from safety_core.nano.language.wordings import Paraphrases, Part, apply_style


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt, and the reply of a model without safety modules."""

    text: str
    """The prompt."""

    intent: str
    """Column of the labelling table."""

    kind: str
    """Finer than the intent: describe, what, where, count, exists, colour, read, compare, talk, ..."""

    answer: str
    """Reply of a model without safety modules."""

    own_risk: Risk = SAFE
    """Risk of the words alone."""

    things: tuple[str, ...] = ()
    """Names that a description must contain."""

    needs_picture: bool = True
    """Whether the prompt refers to a picture."""


@dataclass(slots=True, kw_only=True)
class Asker:
    """Source of the random choices of one sample, and the wordings that its questions use."""

    rng: Random
    """Random source of the sample."""

    part: Part = "trained"
    """The wordings to use."""

    def phrase(self, wording: Paraphrases, **slots: str) -> str:
        """Choose a paraphrase, fill its slots and apply a random style."""
        text = wording.pick(self.rng, self.part).format(**slots)
        for vowel in "aeiou":
            text = text.replace(f" a {vowel}", f" an {vowel}")
        return apply_style(self.rng, text)
