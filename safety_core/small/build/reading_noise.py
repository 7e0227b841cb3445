"""Imitates what an OCR reader makes of lettering: lost spaces, joined lines, capitals, confused letters.

Pure text; the pictures of the training set are read by the real reader, and this makes many more texts like theirs.
"""

import random
import re

_CONFUSED = {"l": "1", "I": "l", "O": "0", "0": "O", "S": "5", "B": "8", "rn": "m", ",": ".", "'": ""}
"""What readers take for what."""


def imitate_reading(text: str, rng: random.Random) -> str:
    """Return the text as a reader might return it; most texts stay as they are but for their line breaks."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    joined = rng.choice([" ", "\n"]).join(lines) if lines else text.strip()
    if rng.random() < 0.5:
        return joined
    if rng.random() < 0.25:
        joined = joined.upper() if rng.random() < 0.7 else joined.lower()
    if rng.random() < 0.45:
        share = rng.choice([0.1, 0.3, 1.0])
        joined = re.sub(r" ", lambda _: "" if rng.random() < share else " ", joined)
    if rng.random() < 0.3:
        joined = _confuse_letters(joined, rng)
    if rng.random() < 0.2:
        joined = joined.rstrip(".!?…")
    return joined or text.strip()


def _confuse_letters(text: str, rng: random.Random) -> str:
    """Confuse up to two letters."""
    for wrong in rng.sample(sorted(_CONFUSED), 2):
        places = [match.start() for match in re.finditer(re.escape(wrong), text)]
        if places:
            place = rng.choice(places)
            text = text[:place] + _CONFUSED[wrong] + text[place + len(wrong) :]
    return text
