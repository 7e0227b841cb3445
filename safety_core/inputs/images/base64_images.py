"""Decodes images from base64 strings and data URLs, and distinguishes these from other URLs.

Clients wrap base64 into lines, end it with a line break, omit its padding, or use the URL-safe alphabet. In data URLs
(RFC 2397), scheme and parameters ignore case, and the data may be percent-encoded. All of these are accepted. Ambiguous
strings are rejected: data after padding, both alphabets in one string, an impossible length. Every step takes time and
memory proportional to the string's length, in functions written in C. Knows no image format.
"""

import binascii
import re
from contextlib import suppress
from typing import Literal
from urllib.parse import unquote

import pybase64

from safety_core.errors import ImageError
from safety_core.inputs.images.parsed_image import image_error

SourceKind = Literal["address", "data", "base64", "unknown"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=:)", re.IGNORECASE)
_LONGEST_SCHEME = 32

_BLANKS = " \t\r\n\f\v"
_BLANK_BYTES = _BLANKS.encode()

_MAX_HEAD = 1024
"""Maximum characters of a data URL before its comma."""

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_FOR_URLS = bytes.maketrans(b"-_", b"+/")


def classify_source(text: str) -> SourceKind:
    """Classify a string that represents an image. This is the only function that classifies image sources.

    Returns:
        ``address`` for an ``http`` or ``https`` URL, ``data`` for a data URL, ``base64`` for anything without a scheme
        (valid or not), ``unknown`` for any other scheme.
    """
    start = text[: _LONGEST_SCHEME + 1] if text[:1] not in _BLANKS else text.lstrip(_BLANKS)[: _LONGEST_SCHEME + 1]
    match = _SCHEME.match(start)
    match match and match[0].lower():
        case None:
            return "base64"
        case "http" | "https":
            return "address"
        case "data":
            return "data"
    return "unknown"


def decode_base64(text: str, *, max_bytes: int) -> bytes:
    """Decode a base64 string or a base64 data URL to the bytes of an image file.

    Args:
        text: the string.
        max_bytes: maximum decoded size.

    Raises:
        ImageError: code ``image_encoding`` (not base64), ``image_url`` (an address: nothing is fetched here) or
            ``image_too_large`` (computed from the string's length, before decoding).
    """
    kind = classify_source(text)
    if kind == "address" or (kind == "unknown" and "://" in text[: _LONGEST_SCHEME + 3]):
        raise image_error("image_url", "Image URLs are not fetched; send the image itself.")
    if kind == "unknown":
        raise _create_encoding_error()
    payload = _extract_payload(text) if kind == "data" else text
    with suppress(binascii.Error, ValueError):  # the common form, in one pass; other forms need more checks
        if len(payload) * 3 // 4 <= max_bytes:
            return pybase64.b64decode(payload, validate=True)
    try:
        packed = payload.encode("ascii").translate(None, _BLANK_BYTES)
    except UnicodeEncodeError:
        raise _create_encoding_error() from None
    if kind == "data" and b"%" in packed:
        packed = _unescape(packed).translate(None, _BLANK_BYTES)
    padding = len(packed) - len(packed.rstrip(b"="))
    length = len(packed) - padding
    if length * 3 // 4 > max_bytes:
        raise image_error("image_too_large", f"The image is larger than {max_bytes} bytes.")
    if length % 4 == 1 or padding not in (0, -length % 4):
        raise _create_encoding_error()
    if b"-" in packed or b"_" in packed:
        if b"+" in packed or b"/" in packed:
            raise _create_encoding_error()
        packed = packed.translate(_FOR_URLS)
    try:
        return pybase64.b64decode(packed if padding else packed + b"=" * (-length % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _create_encoding_error() from None


def _extract_payload(text: str) -> str:
    """Return the text after the comma of a base64 data URL."""
    head, comma, payload = text.partition(",")
    if not comma or len(head) > _MAX_HEAD:
        raise image_error("image_encoding", "A data URL must be base64-encoded.")
    *_, encoding = unquote(head).split(";")
    if encoding.strip(_BLANKS).lower() != "base64":
        raise image_error("image_encoding", "A data URL must be base64-encoded.")
    return payload


def _unescape(text: bytes) -> bytes:
    """Decode a percent-encoded string.

    Quoted-printable uses the same escapes with a different sign, and its decoder is written in C; a decoder that splits
    the string at its escapes would need fifty bytes per escape.
    """
    if _BROKEN_ESCAPE.search(text):
        raise _create_encoding_error()
    return binascii.a2b_qp(text.replace(b"=", b"%3D").replace(b"%", b"="))


def _create_encoding_error() -> ImageError:
    return image_error("image_encoding", "The image is neither base64 nor a base64 data URL.")
