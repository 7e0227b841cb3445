"""Wordings of prompts: the paraphrases of ``assets/wordings.yaml``, with random politeness, case and punctuation.

Training uses the ``trained`` wordings and evaluation only the ``held_out`` ones. Calibration uses a third part, so that
the head is as uncertain about its words as about those of a user. Knows nothing of scenes or answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

import yaml

from safety_core.nano.world.things import ASSETS

Part = Literal["trained", "calibration", "held_out"]
"""The wordings of training, of the calibration split, or of the suite."""

CALIBRATION_SHARE = 7
"""One in this many wordings of a kind is reserved for calibration."""


@dataclass(frozen=True, slots=True)
class Paraphrases:
    """Wordings of one kind of question, by part."""

    trained: tuple[str, ...]
    calibration: tuple[str, ...]
    held_out: tuple[str, ...]

    def pick(self, rng: Random, part: Part) -> str:
        """Pick a random wording of one part."""
        wordings: tuple[str, ...] = getattr(self, part)
        return rng.choice(wordings)


def _split_wordings(entry: Mapping[str, list[str]]) -> Paraphrases:
    """Split the two lists of the file into three parts; kinds with few wordings calibrate on the trained ones."""
    trained = tuple(entry["trained"])
    kept = trained[CALIBRATION_SHARE - 1 :: CALIBRATION_SHARE] if len(trained) >= 2 * CALIBRATION_SHARE else ()
    return Paraphrases(
        tuple(wording for wording in trained if wording not in kept), kept or trained, tuple(entry["held_out"])
    )


_WORDINGS = yaml.safe_load((ASSETS / "wordings.yaml").read_text(encoding="utf-8"))

ABOUT_PICTURES = {kind: _split_wordings(entry) for kind, entry in _WORDINGS["about_pictures"].items()}
"""Kind → wordings of questions about a picture."""

TALK = {name: (_split_wordings(entry), str(entry["answer"])) for name, entry in _WORDINGS["small_talk"].items()}
"""Name → wordings and answer of small talk."""

RISKY_TALK: dict[tuple[str, int], Paraphrases] = {
    (risk_type, level): _split_wordings(entry)
    for risk_type, levels in _WORDINGS["risky"].items()
    for level, entry in levels.items()
}
"""(type, level) → wordings of prompts that are risky by their words alone."""

TRUE_TALK = _split_wordings(_WORDINGS["true_facts"])
"""Remarks about true facts: the harmless counterparts of misleading ones."""

OUTSIDE = _split_wordings(_WORDINGS["outside"])
"""Ordinary words of prompts outside the grammar."""


def _complete_how_to(leads: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{lead} {{verb}} a {{thing}}" for lead in leads)


_LEAD = _split_wordings(_WORDINGS["how_to"])
HOW_TO = Paraphrases(
    _complete_how_to(_LEAD.trained), _complete_how_to(_LEAD.calibration), _complete_how_to(_LEAD.held_out)
)
"""Questions of how to do something with a thing, harmless or not."""

_PREFIX = ("", "", "", "", "please ", "hey, ", "now ")
_SUFFIX = ("", "", "", "", " please", " for me", ", thanks")


def apply_style(rng: Random, text: str) -> str:
    """Apply random politeness, case and punctuation to a wording."""
    if rng.random() < 0.3:
        text = rng.choice(_PREFIX) + text + rng.choice(_SUFFIX)
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + rng.choice(("?", "", ".", "?") if text.split()[0].lower() in _ASKING else (".", "", "!", "."))


_ASKING = frozenset(
    ("what", "who", "where", "how", "is", "are", "do", "does", "can", "which", "why", "would", "should", "in")
)


def make_gibberish(rng: Random, part: Part = "trained") -> str:
    """Make a prompt outside the grammar: ordinary words, foreign scripts, or random letters."""
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
