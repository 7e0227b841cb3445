"""Normalises a text to what a reader sees, and its capitals to usual spelling."""

import re
import unicodedata

from safety_core.inputs.text.invisible_characters import is_invisible

_WORD = re.compile(r"(?P<start>\A\W*|[.!?]\W{1,3})?(?P<word>[^\W_]+)")
"""Matches a word, and whether a sentence begins with it. Sentence ends are bounded, so that many dots do not take
quadratic time."""

_WHITE = {ord(char): "\n" for char in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"} | {ord(char): " " for char in "\t\x1f"}
"""White space that normalisation would treat as invisible, although it separates words."""


def normalise(text: str) -> str:
    """Normalise a text to its displayed form: NFKC without zero-width, bidi, tag and other invisible characters.

    White space becomes a space or, if it breaks lines, a line break. The function is idempotent.
    """
    plain = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").translate(_WHITE))
    return unicodedata.normalize("NFKC", "".join(char for char in plain if not is_invisible(char)))


def lower_capitals(text: str) -> str:
    """Lower-case capitals except at sentence starts and in the word I: ``MAKE a BoMb`` becomes ``Make a bomb``."""

    def lower(match: re.Match[str]) -> str:
        start, word = match["start"], match["word"]
        if word == "I":
            return match[0]
        return (word[0].lower() if start is None else start + word[0]) + word[1:].lower()

    return _WORD.sub(lower, text)
