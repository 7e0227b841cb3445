"""Classifies a single string as words, an identifier, encoded bytes, or an image. Knows no protocol."""

import base64
import binascii
import re
from collections.abc import Iterable

from safety_core.inputs.text.lexicon import load_english

_MIN_BLOB_LENGTH = 64
"""Minimum characters of a string that may be base64."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]*")
_IMAGE_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
"""First bytes of image files."""

_MEDIA_TYPE = re.compile(r"(?:image|audio|video|text|application)/[\w.+-]{1,64}")

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_A-Za-z]+")
"""Matches the words of identifiers such as ``get_user``, ``get-user``, ``getUser`` and ``GET_USER``."""

_WORDS_IN_A_ROW = re.compile(r"(?<![A-Za-z0-9+/=])(?:[A-Za-z]{1,15}[_.:/\s-]+){2,}[A-Za-z]{1,15}(?![A-Za-z0-9+/=])")
"""Matches three consecutive words, also among random characters."""

_MIN_WORDS = 3
"""Minimum number of words that can form a request."""

_MIN_WORD_SHARE = 0.7
"""An identifier counts as words if a larger share of its letters belongs to known words."""


def split_identifier(name: str) -> str:
    """Split an identifier into lower-case words, separated by blanks."""
    return " ".join(word.lower() for word in _WORDS.findall(name))


def read_identifiers(names: Iterable[str], *, together: bool = False) -> list[str]:
    """Convert identifiers of several words to texts; a single word cannot form a request.

    Args:
        names: the identifiers.
        together: whether the one-word identifiers are also joined into one text, if there are at least ``_MIN_WORDS``.
    """
    texts = [split_identifier(name) if name.isascii() else name for name in names]
    single = [text for text in texts if text and " " not in text and text.isascii()] if together else []
    row = [" ".join(single)] if len(single) >= _MIN_WORDS else []
    return [*(text for text in texts if " " in text or not text.isascii()), *row]


def has_words_in_a_row(text: str) -> bool:
    """Return whether a string contains three consecutive words, whatever surrounds them."""
    return _WORDS_IN_A_ROW.search(text) is not None


def is_spoken(text: str) -> bool:
    """Return whether an identifier consists of English words rather than random characters."""
    words = split_identifier(text).split()
    known = [word for word in words if len(word) > 1 and word in load_english()]
    letters = sum(map(len, words))
    return len(known) >= _MIN_WORDS and sum(map(len, known)) > _MIN_WORD_SHARE * letters


def is_media_type(text: str) -> bool:
    """Return whether a string is a media type rather than words that look like one."""
    return _MEDIA_TYPE.fullmatch(text) is not None and not is_spoken(text)


def is_blob(text: str) -> bool:
    """Return whether a string is base64 data rather than words."""
    return len(text) >= _MIN_BLOB_LENGTH and _is_base64(text)


def is_sealed(data: object) -> bool:
    """Return whether a value may be data that a provider encrypted, which only the provider can read."""
    return isinstance(data, str) and _is_base64(data)


def _is_base64(text: str) -> bool:
    return _BASE64.fullmatch(text) is not None and not has_words_in_a_row(text)


def is_data_url(text: str) -> bool:
    """Return whether a string is a data URL."""
    return text[:5].lower() == "data:"


def is_image(text: str) -> bool:
    """Return whether a string is an image file, as a data URL or in base64."""
    if is_data_url(text):
        return text[5:32].lstrip().lower().startswith("image/") and "," in text
    if not is_blob(text):
        return False
    head = text[:16].replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(head).startswith(_IMAGE_SIGNATURES)
    except (binascii.Error, ValueError):
        return False
