"""In which words people ask in the nano's world: the paraphrases of ``assets/wordings.yaml``, dressed as people write.

Training shows the ``trained`` wordings, evaluation nothing but the ``held_out`` ones; thresholds are set on a third
part, so that they see a head that is as unsure of unknown words as it will be in use. Knows nothing of scenes or
answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

import yaml

from safety_core.nano.world.things import ASSETS

Part = Literal["trained", "calibration", "held_out"]
"""Which wordings are used: those of training, of the split that sets thresholds, or of the suite."""

CALIBRATION_SHARE = 7
"""One in so many wordings of a kind is kept from training for calibration."""


@dataclass(frozen=True, slots=True)
class Paraphrases:
    """Wordings of one kind of question, by who sees them."""

    trained: tuple[str, ...]
    calibration: tuple[str, ...]
    held_out: tuple[str, ...]

    def pick(self, rng: Random, part: Part) -> str:
        """A random wording of one part."""
        wordings: tuple[str, ...] = getattr(self, part)
        return rng.choice(wordings)


def _paraphrases(entry: Mapping[str, list[str]]) -> Paraphrases:
    """The file's two lists as three parts; kinds with few wordings calibrate on the trained ones."""
    trained = tuple(entry["trained"])
    kept = trained[CALIBRATION_SHARE - 1 :: CALIBRATION_SHARE] if len(trained) >= 2 * CALIBRATION_SHARE else ()
    return Paraphrases(
        tuple(wording for wording in trained if wording not in kept), kept or trained, tuple(entry["held_out"])
    )


_WORDINGS = yaml.safe_load((ASSETS / "wordings.yaml").read_text(encoding="utf-8"))

ABOUT_PICTURES = {kind: _paraphrases(entry) for kind, entry in _WORDINGS["about_pictures"].items()}
"""Questions that point at the picture, by kind."""

TALK = {name: (_paraphrases(entry), str(entry["answer"])) for name, entry in _WORDINGS["small_talk"].items()}
"""Small talk with its answers."""

RISKY_TALK: dict[tuple[str, int], Paraphrases] = {
    (risk_type, level): _paraphrases(entry)
    for risk_type, levels in _WORDINGS["risky"].items()
    for level, entry in levels.items()
}
"""Prompts that are risky by their words alone: wordings per (type, level)."""

TRUE_TALK = _paraphrases(_WORDINGS["true_facts"])
"""Remarks about facts that are so: the harmless twins of misleading ones."""

OUTSIDE = _paraphrases(_WORDINGS["outside"])
"""Ordinary words of which prompts outside the grammar are made."""


def _how_to(leads: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{lead} {{verb}} a {{thing}}" for lead in leads)


_LEAD = _paraphrases(_WORDINGS["how_to"])
HOW_TO = Paraphrases(_how_to(_LEAD.trained), _how_to(_LEAD.calibration), _how_to(_LEAD.held_out))
"""Questions of how to do something to a thing, harmless or not."""

_PREFIX = ("", "", "", "", "please ", "hey, ", "now ")
_SUFFIX = ("", "", "", "", " please", " for me", ", thanks")


def dress(rng: Random, text: str) -> str:
    """Write a wording the way people do: capital or not, with or without punctuation and politeness."""
    if rng.random() < 0.3:
        text = rng.choice(_PREFIX) + text + rng.choice(_SUFFIX)
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + rng.choice(("?", "", ".", "?") if text.split()[0].lower() in _ASKING else (".", "", "!", "."))


_ASKING = frozenset(
    ("what", "who", "where", "how", "is", "are", "do", "does", "can", "which", "why", "would", "should", "in")
)


def gibberish(rng: Random, part: Part = "trained") -> str:
    """Words in no order that the grammar knows: ordinary ones, foreign scripts, or letters at random."""
    draw = rng.random()
    if draw < 0.7:
        words = [OUTSIDE.pick(rng, part) for _ in range(rng.randint(1, 9))]
    elif draw < 0.85:
        words = [
            "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9)))
            for _ in range(rng.randint(1, 5))
        ]
    else:
        words = [
            "".join(chr(rng.randint(0xE0, 0x24F)) for _ in range(rng.randint(2, 7))) for _ in range(rng.randint(1, 4))
        ]
    text = " ".join(words)
    return text + rng.choice(("", "?", ".", "!"))
