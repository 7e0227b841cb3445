"""Finds words in quotation marks, URLs and e-mail addresses."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from safety_core.inputs.text.disguises.encodings import unescape_html
from safety_core.inputs.text.normalisation import lower_capitals

_QUOTED_WORDS = re.compile(
    r"\"([^\"\s]{1,48}(?:\s[^\"\s]{1,48}){2,48})\"|(?<!\w)'([^'\s]{1,48}(?:\s[^'\s]{1,48}){2,48})'(?!\w)"
    r"|[\u201c\u201d\u201e\u00ab\u00bb]([^\s\u201c-\u201e\u00ab\u00bb]{1,48}"
    r"(?:\s[^\s\u201c-\u201e\u00ab\u00bb]{1,48}){2,48})(?=[\u201c\u201d\u00ab\u00bb])"
)
_ADDRESS = re.compile(
    r"https?://[^\s/?#]{1,128}[/?#]([^\s\"'<>]{8,512})|(?<![\w.+-])([\w.+-]{8,128})@(?=[\w-]{1,64}\.\w)"
)
_BETWEEN_WORDS = re.compile(r"[^A-Za-z0-9']+")

_LEAST_EMBEDDED = 3
"""Minimum words of an address that is judged separately."""


def find_quotations(text: str) -> Iterator[str]:
    """Yield the words in quotation marks (also of attributes, JSON and source code), URLs and e-mail addresses."""
    plain = unescape_html(text)
    for quoted in _QUOTED_WORDS.finditer(plain):
        yield lower_capitals(" ".join((quoted[1] or quoted[2] or quoted[3]).split()))
    for address in _ADDRESS.finditer(plain):
        words = [word for word in _BETWEEN_WORDS.split(unquote(address[1] or address[2], errors="ignore")) if word]
        if len(words) >= _LEAST_EMBEDDED:
            yield " ".join(words).lower()
