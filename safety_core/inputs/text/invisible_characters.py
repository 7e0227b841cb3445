"""Recognises invisible characters, and decodes the words that some of them encode."""

import re
import unicodedata

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0")

_INVISIBLE_RANGES = (
    ("\u180b", "\u180f"),
    ("\ufe00", "\ufe0f"),
    ("\ufff0", "\ufff8"),
    ("\U000e0000", "\U000e0fff"),
)
"""Variation selectors, and code points that Unicode reserves for further invisible characters."""

_HIDDEN = re.compile("[\U000e0020-\U000e007e]+|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{3,}")
"""Invisible characters that encode others: tags encode ASCII, variation selectors encode bytes."""

_TAG_CHARACTERS = re.compile("[\U000e0000-\U000e0fff]")
"""Invisible letters that a language model may have learned to read: the head judges these letters, but the LLM never
gets them."""


def is_invisible(char: str) -> bool:
    """Whether a character is not displayed; line breaks are not invisible."""
    if char == "\n":
        return False
    within = any(first <= char <= last for first, last in _INVISIBLE_RANGES)
    return within or char in _INVISIBLE or unicodedata.category(char) in {"Cc", "Cf", "Cs"}


def reveal_hidden(text: str) -> tuple[str, ...]:
    """Decode words that invisible characters encode: return the text with the words in place, and the words only.

    Language models have learned to read these characters; people cannot see them. Empty if there are no such words.
    """
    if text.isascii() or not _HIDDEN.search(text):
        return ()
    hidden = " ".join(_decode_invisible(match[0]) for match in _HIDDEN.finditer(text))
    return tuple(
        text_variant
        for text_variant in (_HIDDEN.sub(lambda match: _decode_invisible(match[0]), text), hidden)
        if text_variant.strip()
    )


def remove_tag_characters(text: str) -> str:
    """Remove invisible letters that a language model may have learned to read."""
    return _TAG_CHARACTERS.sub("", text)


def _decode_invisible(run: str) -> str:
    if "\U000e0020" <= run[0] <= "\U000e007e":
        return "".join(chr(ord(char) - 0xE0000) for char in run)
    codes = (ord(char) - (0xFE00 if char < "\U000e0100" else 0xE0100 - 16) for char in run)
    return bytes(codes).decode("utf-8", "ignore")
