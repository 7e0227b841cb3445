"""Splits texts into sentences, which are judged separately and searched for disguises separately."""

import re

_CLOSING = r"(?:[^\w\s]|\[\d{1,3}\]){0,16}"

_SENTENCE_END = re.compile(
    rf"([.\u2026\u061f\u06d4\u0964]{_CLOSING}(?= )|[a-z]\.(?=[A-Z])|[!?\u3002\uff01\uff1f]{_CLOSING}) ?"
)
"""Matches the end of a sentence with the quotation marks, brackets, emojis and footnotes that close it. A full stop
needs a space after it, because numbers and addresses contain full stops. Bounded, so that many dots do not take
quadratic time."""

_PIECE_END = re.compile(
    r"((?:(?<=\S)[.!?\u2026\u3002\uff01\uff1f\u061f\u06d4\u0964][^\w\s]{0,16}|(?<=\s)[.!?\u2026]{1,16}))\s+"
)
"""Matches the end of a sentence, also a sign by itself, unless it begins a word of signs, as in ``!$ h0t``."""

_LONG = re.compile(r"(?:.{1,512}(?=\s|\Z)|.{1,512})", re.DOTALL)
"""Maximum length of the parts of a long sentence, which are processed separately."""

MAX_FRAGMENT_WORDS = 2
"""Maximum words of a piece that may belong to a sentence that full stops cut into pieces."""


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences; line breaks count as spaces."""
    return _SENTENCE_END.sub("\\1\n", " ".join(text.split())).splitlines()


def split_pieces(text: str) -> list[str]:
    """Split a text into sentences of bounded length; adjacent sentences of one or two words each stay together."""
    cut = [piece for piece in _PIECE_END.sub("\\1\0", text.strip()).split("\0") if piece]
    pieces: list[str] = []
    run: list[str] = []
    cut = [part for piece in cut for part in _LONG.findall(piece)]
    for piece in (*cut, ""):
        if piece and len(piece.split(maxsplit=MAX_FRAGMENT_WORDS)) <= MAX_FRAGMENT_WORDS:
            run.append(piece)
            continue
        pieces += [" ".join(run)] if len(run) > MAX_FRAGMENT_WORDS else run
        run = []
        pieces += [piece] if piece else []
    return pieces
