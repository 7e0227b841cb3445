"""Normalises a text to what a reader sees, and its capitals to usual spelling."""

import re
import unicodedata

from safety_core.inputs.text.invisible_characters import is_invisible

_WORD = re.compile(r"(?P<start>\A\W*|[.!?]\W{1,3})?(?P<word>[^\W_]+)")
"""A word, and whether a sentence begins with it. Sentence ends are bounded, so that a row of dots is not quadratic."""

_WHITE = {ord(char): "\n" for char in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"} | {ord(char): " " for char in "\t\x1f"}
"""White space that normalising would treat as invisible, although it separates words."""


def normalise(text: str) -> str:
    """Normalise a text as it is displayed: NFKC, without zero-width, bidi, tag, control and other invisible characters.

    White space becomes a space or, if it breaks lines, a line break. The function is idempotent.
    """
    plain = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").translate(_WHITE))
    return unicodedata.normalize("NFKC", "".join(char for char in plain if not is_invisible(char)))


def lower_capitals(text: str) -> str:
    """Lower capitals except at sentence starts and in the word I: ``MAKE a BoMb`` becomes ``Make a bomb``."""

    def lower(found: re.Match[str]) -> str:
        start, word = found["start"], found["word"]
        if word == "I":
            return found[0]
        return (word[0].lower() if start is None else start + word[0]) + word[1:].lower()

    return _WORD.sub(lower, text)
