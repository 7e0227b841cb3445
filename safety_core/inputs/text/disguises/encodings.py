r"""Decodes texts in layers: HTML entities, escapes (``%68``, ``\x68``, ``\u0068``), Base64, hexadecimal and other
digits, Morse code and braille.
"""

import re
from base64 import b64decode
from html import unescape
from string import ascii_lowercase
from urllib.parse import unquote

from safety_core.inputs.text.disguises.markup import remove_markup
from safety_core.inputs.text.normalisation import normalise

_DECODING_ROUNDS = 4
"""Maximum number of nested encodings that are decoded."""

_ESCAPE = re.compile(
    r"\\u\{([0-9A-Fa-f]{1,6})\}|[\\%]u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})|\\x\{?([0-9A-Fa-f]{2})\}?"
    r"|[Uu]\+([0-9A-Fa-f]{4,6})[ ,;]?|\\([0-9A-Fa-f]{4,6}) ?|\b0x([0-9A-Fa-f]{2})\b[ ,;]?"
)
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_QUOTED = re.compile(r"=\n|(?:=[0-9A-F]{2})+")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_BYTES = re.compile(
    r"(?P<binary>(?<!\S)(?:[01]{8}[ ,]?){4,})|(?P<decimal>(?<!\S)1?[0-9]{2}(?:[ ,]{1,2}1?[0-9]{2}(?![0-9])){5,}+)"
    r"|(?P<hexadecimal>(?<![^\s\"'(])(?:[0-9A-Fa-f]{2}[ :]?){8,}(?![0-9A-Za-z]))"
    r"|(?<![^\s\"'(:])[A-Za-z0-9+/_-]{12,}={0,2}(?![A-Za-z0-9+/=])"
)
_MORSE_CODE = re.compile(r"(?<!\S)[.\-\u2022\u2013]{1,6}(?:\s{1,3}(?:[/|]\s?)?[.\-\u2022\u2013]{1,6}){3,}(?!\S)")

_MORSE_TABLE = """
    .- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..
    ..--.. -.-.-- .-.-.- --..--
"""

_MORSE = dict(zip(_MORSE_TABLE.split(), f"{ascii_lowercase}?!.,", strict=True))

_LEAST_TEXT_SHARE = 0.8
"""Minimum share of letters and spaces in decoded bytes that count as text."""

_BRAILLE = str.maketrans("⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵⠂⠲⠦⠖", "abcdefghijklmnopqrstuvwxyz,.?!", "⠠⠼")
"""Letters of English braille; the signs for capitals and numbers are removed."""

_ENTITY_ZEROS = re.compile(r"(?<=&#)0+(?=[0-9])|(?<=&#[xX])0+(?=[0-9a-fA-F])")

_LONG_ENTITY = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
"""Matches entities whose number exceeds all code points; Python cannot parse the longest of these numbers."""


def decode_text(text: str) -> str:
    """Normalise a text, remove its markup and decode its entities and escapes, in several layers."""
    for _ in range(_DECODING_ROUNDS):
        before = text
        text = remove_markup(_unescape(normalise(text)))
        if text == before:
            break
    return text


def unescape_html(text: str) -> str:
    """Decode HTML entities; numbers that are not code points are removed, whatever their length."""
    if "&" not in text:
        return text
    return unescape(_LONG_ENTITY.sub("", _ENTITY_ZEROS.sub("", text)) if "&#" in text else text)


def _unescape(text: str) -> str:
    text = text if text.isascii() else text.translate(_BRAILLE)
    text = unescape_html(text)
    if "\\" in text or "+" in text or "0x" in text or "%u" in text:
        text = _OCTAL.sub(lambda match: chr(int(match[1], 8)), _ESCAPE.sub(_decode_escape, text))
    if "%" in text:
        text = _PERCENT.sub(lambda match: _decode_percent(match[0]), text)
    if "=" in text:
        text = _QUOTED.sub(lambda match: _decode_quoted_printable(match[0]), text)
    return _MORSE_CODE.sub(_decode_morse, _BYTES.sub(_decode_bytes, text))


def _decode_percent(text: str) -> str:
    """Decode percent-encoded bytes; bytes that are not text, such as ``%da`` between words, stay unchanged."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text


def _decode_bytes(match: re.Match[str]) -> str:
    """Decode Base64, hexadecimal, binary or decimal digits if the result is plain text."""
    digits = match[0].strip()
    close = "".join(digits.split()).replace(",", "")
    try:
        if match["binary"]:
            data = bytes(int(close[at : at + 8], 2) for at in range(0, len(close), 8))
        elif match["decimal"]:
            data = bytes(int(number) for number in digits.replace(",", " ").split())
        elif match["hexadecimal"]:
            data = bytes.fromhex(close)
        else:
            data = b64decode(close.replace("-", "+").replace("_", "/") + "=" * (-len(close) % 4), validate=True)
        decoded = data.decode("utf-8")
    except ValueError:
        return match[0]
    letters = sum(char.isalpha() or char.isspace() for char in decoded)
    return f" {decoded} " if decoded.isprintable() and letters > _LEAST_TEXT_SHARE * len(decoded) else match[0]


def _decode_morse(match: re.Match[str]) -> str:
    words = re.split(r"\s*[/|]\s*|\s{2,}", match[0].strip().replace("\u2022", ".").replace("\u2013", "-"))
    letters = [[_MORSE.get(sign, "") for sign in word.split()] for word in words]
    return " ".join("".join(word) for word in letters) if all(map(all, letters)) else match[0]


def _decode_escape(match: re.Match[str]) -> str:
    code = int(next(group for group in match.groups() if group is not None), 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else " "


def _decode_quoted_printable(text: str) -> str:
    if text == "=\n":
        return ""
    decoded = bytes.fromhex(text.replace("=", "")).decode("utf-8", "ignore")
    return decoded if decoded and decoded.isprintable() else text
