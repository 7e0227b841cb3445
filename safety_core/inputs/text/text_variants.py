r"""Undoes disguises of a text: folds markup, look-alike letters, odd separators and spellings to plain words.

:func:`fold` undoes what rules can undo, in any combination, and returns a few variants of a text, which the safety head
judges in addition to the text itself. Folding only adds variants: the text in its own script is judged unchanged.

1. ``decode``: entities, escapes (``%68``, ``\x68``, ``\u0068``) and markup (HTML, Markdown, BBCode, LaTeX), in layers;
2. the text is cut into sentences;
3. each character becomes the letters that it may stand for: look-alikes of other scripts, small capitals, digits and
   signs (leet); everything else is a gap between letters;
4. ``Lexicon.segment`` finds the most likely English words, whatever separates the letters.

Work and output are linear in the length of the text, with a bound on the alternatives that are followed
(``lexicon.Effort``): a text that is more ambiguous is still folded, using only its most likely letters. Pure text;
knows no model.
"""

import re
import unicodedata
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from html import unescape
from itertools import count, pairwise, zip_longest
from string import ascii_lowercase
from urllib.parse import unquote

from confusable_homoglyphs import confusables

from safety_core.inputs.text.lexicon import SPLIT_COST, Effort, Lexicon, Symbol, english

MAX_CHARACTERS = 65_536
"""A longer text is not folded; prompts are shorter, even if NFKC expands their characters."""

_DECODING_ROUNDS = 4
"""Nested layers of encodings that are undone."""

# --- what a reader sees --------------------------------------------------------------------------------------------

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0")
_INVISIBLE_RANGES = (
    ("\u180b", "\u180f"),
    ("\ufe00", "\ufe0f"),
    ("\ufff0", "\ufff8"),
    ("\U000e0000", "\U000e0fff"),
)
"""Variation selectors, and code points that Unicode reserves for further invisible characters."""

_WORD = re.compile(r"(?P<start>\A\W*|[.!?]\W{1,3})?(?P<word>[^\W_]+)")
"""A word, and whether a sentence begins with it. Sentence ends are bounded, so that a row of dots is not quadratic."""

_WHITE = {ord(char): "\n" for char in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"} | {ord(char): " " for char in "\t\x1f"}
"""White space that normalising would treat as invisible, although it separates words."""


def normalise(text: str) -> str:
    """The text as displayed: NFKC, without zero-width, bidi, tag, control and other invisible characters.

    White space becomes a space or, if it breaks lines, a line break. The function is idempotent.
    """
    plain = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").translate(_WHITE))
    return unicodedata.normalize("NFKC", "".join(char for char in plain if not _invisible(char)))


def in_small_letters(text: str) -> str:
    """A text with capitals only at sentence starts and for the word I: ``MAKE a BoMb`` is ``Make a bomb``."""

    def small(found: re.Match[str]) -> str:
        start, word = found["start"], found["word"]
        if word == "I":
            return found[0]
        return (word[0].lower() if start is None else start + word[0]) + word[1:].lower()

    return _WORD.sub(small, text)


def _invisible(char: str) -> bool:
    if char == "\n":
        return False
    within = any(first <= char <= last for first, last in _INVISIBLE_RANGES)
    return within or char in _INVISIBLE or unicodedata.category(char) in {"Cc", "Cf", "Cs"}


_HIDDEN = re.compile("[\U000e0020-\U000e007e]+|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{3,}")
"""Invisible characters that encode others: tags encode ASCII, variation selectors encode bytes."""


def revealed(text: str) -> tuple[str, ...]:
    """A text with the words encoded by invisible characters decoded in place, and those words alone.

    Language models have learned to read these characters; people cannot see them. Empty if there are none.
    """
    if text.isascii() or not _HIDDEN.search(text):
        return ()
    hidden = " ".join(_spelt_by_invisible(found[0]) for found in _HIDDEN.finditer(text))
    return tuple(one for one in (_HIDDEN.sub(lambda found: _spelt_by_invisible(found[0]), text), hidden) if one.strip())


def _spelt_by_invisible(run: str) -> str:
    if "\U000e0020" <= run[0] <= "\U000e007e":
        return "".join(chr(ord(char) - 0xE0000) for char in run)
    codes = (ord(char) - (0xFE00 if char < "\U000e0100" else 0xE0100 - 16) for char in run)
    return bytes(codes).decode("utf-8", "ignore")


# --- encodings and markup ------------------------------------------------------------------------------------------

_BLOCK_TAG = re.compile(
    r"address|article|aside|blockquote|br|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|legend|li"
    r"|main|nav|ol|option|p|pre|section|table|tbody|td|tfoot|th|thead|title|tr|ul",
    re.IGNORECASE,
)
"""Tags that start a new line; any other tag may be in the middle of a word."""

_COMMENT = re.compile(r"<!--(?:(?!<!--).){0,4096}?-->|<!\[CDATA\[|\]\]>", re.DOTALL)
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]{0,31})(?:[\s/][^<>]{0,1024})?>")
_BRACKET_TAG = re.compile(r"\[/?(?:b|i|u|s|url|img|color|size|font|code|quote|center|\*)(?:=[^\[\]]{0,128})?\]", re.I)
_ANSI = re.compile(r"\[[0-9;]{1,16}m")
_LINK = re.compile(r"!?\[([^\[\]]{0,1024})\]\([^()\s]{0,1024}(?:\s[^()]{0,256})?\)")
_LATEX = re.compile(r"\\[A-Za-z]{2,24}\*?(?=\{)")
_ESCAPE = re.compile(
    r"\\u\{([0-9A-Fa-f]{1,6})\}|[\\%]u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})|\\x\{?([0-9A-Fa-f]{2})\}?"
    r"|[Uu]\+([0-9A-Fa-f]{4,6})[ ,;]?|\\([0-9A-Fa-f]{4,6}) ?|\b0x([0-9A-Fa-f]{2})\b[ ,;]?"
)
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_QUOTED = re.compile(r"=\n|(?:=[0-9A-F]{2})+")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_LIST_MARK = re.compile(r"^[ >]{0,8}(?:[0-9]{1,3}[.)]|[-*+>\u2022]|#{1,6})[ ]+", re.MULTILINE)
_HYPHENATED = re.compile(r"(?<=[^\W\d_])[-\u2010] {0,8}\n[ >]{0,8}(?=[^\W\d_])")


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
_MOSTLY = 0.8
"""Least share of letters and spaces for decoded bytes to count as a text."""


def decode(text: str) -> str:
    """A text as displayed, without markup, and with entities and escapes decoded, in several layers."""
    for _ in range(_DECODING_ROUNDS):
        before = text
        text = _without_markup(_unescaped(normalise(text)))
        if text == before:
            break
    return text


_BRAILLE = str.maketrans("⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵⠂⠲⠦⠖", "abcdefghijklmnopqrstuvwxyz,.?!", "⠠⠼")
"""Letters of English braille, without the signs for capitals and numbers."""


_ENTITY_ZEROS = re.compile(r"(?<=&#)0+(?=[0-9])|(?<=&#[xX])0+(?=[0-9a-fA-F])")
_LONG_ENTITY = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
"""An entity whose number exceeds all characters; Python refuses to read the longest."""


def _html_unescaped(text: str) -> str:
    """A text without HTML's entities; numbers that are no characters are removed, however long."""
    if "&" not in text:
        return text
    return unescape(_LONG_ENTITY.sub("", _ENTITY_ZEROS.sub("", text)) if "&#" in text else text)


def _unescaped(text: str) -> str:
    text = text if text.isascii() else text.translate(_BRAILLE)
    text = _html_unescaped(text)
    if "\\" in text or "+" in text or "0x" in text or "%u" in text:
        text = _OCTAL.sub(lambda found: chr(int(found[1], 8)), _ESCAPE.sub(_escaped, text))
    if "%" in text:
        text = _PERCENT.sub(lambda found: _percent_decoded(found[0]), text)
    if "=" in text:
        text = _QUOTED.sub(lambda found: _quoted(found[0]), text)
    return _MORSE_CODE.sub(_from_morse, _BYTES.sub(_spelt_bytes, text))


def _percent_decoded(text: str) -> str:
    """Percent-encoded bytes as text; as they stand where they are none, like ``%da`` between words."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text


def _spelt_bytes(found: re.Match[str]) -> str:
    """Decode Base64, hexadecimal, binary and decimal digits in a text, if the result is plain text."""
    digits = found[0].strip()
    close = "".join(digits.split()).replace(",", "")
    try:
        if found["binary"]:
            data = bytes(int(close[at : at + 8], 2) for at in range(0, len(close), 8))
        elif found["decimal"]:
            data = bytes(int(number) for number in digits.replace(",", " ").split())
        elif found["hexadecimal"]:
            data = bytes.fromhex(close)
        else:
            data = b64decode(close.replace("-", "+").replace("_", "/") + "=" * (-len(close) % 4), validate=True)
        decoded = data.decode("utf-8")
    except ValueError:
        return found[0]
    letters = sum(char.isalpha() or char.isspace() for char in decoded)
    return f" {decoded} " if decoded.isprintable() and letters > _MOSTLY * len(decoded) else found[0]


def _from_morse(found: re.Match[str]) -> str:
    words = re.split(r"\s*[/|]\s*|\s{2,}", found[0].strip().replace("\u2022", ".").replace("\u2013", "-"))
    letters = [[_MORSE.get(sign, "") for sign in word.split()] for word in words]
    return " ".join("".join(word) for word in letters) if all(map(all, letters)) else found[0]


def _escaped(found: re.Match[str]) -> str:
    code = int(next(group for group in found.groups() if group is not None), 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else " "


def _quoted(text: str) -> str:
    if text == "=\n":
        return ""
    decoded = bytes.fromhex(text.replace("=", "")).decode("utf-8", "ignore")
    return decoded if decoded and decoded.isprintable() else text


def _without_markup(text: str) -> str:
    if "<" in text:
        text = _TAG.sub(lambda found: "\n" if _BLOCK_TAG.fullmatch(found[1]) else "", _COMMENT.sub("", text))
    if "[" in text:
        text = _LINK.sub(r"\1", _ANSI.sub("", text))
        text = _BRACKET_TAG.sub("", text) if "[/" in text else text
    if "\\" in text:
        text = _LATEX.sub("", text)
    return _LIST_MARK.sub("", _HYPHENATED.sub("", text)) if "\n" in text else text


# --- characters ----------------------------------------------------------------------------------------------------

_LOOKS_LIKE_TABLE = """
    а:a б:b в:bv г:rg д:ad е:e ж:xj з:ez и:nui к:k л:nl м:m н:hn о:o п:np р:pr с:cs т:t у:yu ф:of х:xh ц:uc ч:yc
    ш:ws щ:ws ъ:b ы:bi ь:b э:e ю:ou я:ra і:i ѕ:s ј:j һ:h ԁ:d ԛ:q ԝ:w ѡ:w ѵ:v ү:y ҽ:e є:e ғ:f қ:k ң:hn ө:o ҳ:xh
    ґ:rg ӏ:li ђ:h
    α:a β:b γ:yg δ:da ε:e ζ:z η:nh θ:ot ι:i κ:k λ:la μ:um ν:vn ξ:ex ο:o π:np ρ:pr σ:so ς:sc τ:t υ:uy φ:of χ:x
    ψ:wy ω:w ϲ:c ϳ:j
    ı:i ȷ:j ł:l ø:o đ:d ħ:h ŧ:t ß:sb æ:ae œ:oe þ:pt ð:d ĸ:k ŋ:n ƨ:s ʃ:s ʒ:z ƅ:b ʊ:u ɑ:a ʟ:l ∂:d ƒ:f ∩:n ∪:u ∨:v
    ∧:a ∫:s ∑:es ∏:n √:v ʌ:va ɥ:h ǝ:e ʍ:wm ɯ:mw ʎ:y ᴉ:i ƃ:gb ɔ:co ɟ:f ×:x ☓:x ʉ:u
    ա:wa ի:hi ռ:nrp ո:no ս:us հ:h օ:o ֆ:f լ:l ց:gc զ:qz ժ:dj յ:jy պ:wp կ:k մ:um ն:un տ:mt դ:nd բ:pb գ:qg ե:te է:te
    թ:pt ք:pf փ:p ւ:lu վ:v ր:nr շ:s չ:zc խ:hu ձ:d
    ⲁ:a ⲃ:b ⲅ:gr ⲇ:d ⲉ:e ⲍ:z ⲏ:hn ⲑ:ot ⲓ:i ⲕ:k ⲗ:l ⲙ:m ⲛ:n ⲝ:x ⲟ:o ⲡ:pn ⲣ:pr ⲥ:cs ⲧ:t ⲩ:yu ⲫ:f ⲭ:x ⲯ:w ⲱ:wo
    ᚨ:a ᚫ:a ᛒ:b ᚲ:ck ᚳ:c ᛞ:d ᛖ:em ᚠ:f ᚷ:gx ᚺ:h ᚻ:h ᛁ:i ᛃ:j ᛚ:l ᛗ:m ᚾ:n ᛟ:o ᛈ:p ᛩ:q ᚱ:r ᛊ:s ᛋ:s ᛏ:t ᚢ:un ᚡ:v
    ᚹ:wp ᛉ:zy ᚦ:tp ᛦ:y ᚴ:k ᛕ:k
    ᗅ:a ᗩ:a ᗷ:b ᑕ:c ᗪ:d ᕮ:e ᖴ:f ᘜ:g ᕼ:h ᒍ:j ᒪ:l ᗰ:m ᑎ:n ᑭ:p ᑫ:q ᖇ:r ᔕ:s ᑌ:u ᐯ:v ᙡ:w ᙭:x ᖻ:y ᘔ:z
    ꓮ:a ꓐ:b ꓚ:c ꓓ:d ꓒ:d ꓰ:e ꓝ:f ꓖ:g ꓧ:h ꓲ:il ꓙ:j ꓗ:k ꓡ:l ꓟ:m ꓠ:n ꓳ:o ꓑ:p ꓣ:r ꓢ:s ꓔ:t ꓴ:u ꓦ:v ꓪ:w ꓫ:x ꓬ:y ꓜ:z
    ค:a ๒:b ๖:b ๔:d ﻉ:e ع:e ﻮ:g و:g เ:i ן:l ๓:m ภ:n ๏:o ק:p ร:s ย:u ש:w ฬ:w א:xn ץ:y ס:o
"""
_LOOKS_LIKE = dict(pair.split(":") for pair in _LOOKS_LIKE_TABLE.split())
"""Letters for characters of other scripts and signs: similar in appearance first, then in sound."""

_LEET = {
    **{"0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "t", "8": "b", "9": "g"},
    **{"@": "a", "$": "s", "!": "i", "|": "il", "€": "e", "£": "l", "¢": "c", "+": "t", "¥": "y", "§": "s"},
}
"""Digits and signs that stand for letters."""

_APOSTROPHES = frozenset("'`\u2018\u2019\u02bc\u00b4\u2032\u02b9")
_NAME = re.compile(
    r"(?:LATIN|FULLWIDTH LATIN|MODIFIER|SUPERSCRIPT LATIN|SUBSCRIPT LATIN|REGIONAL INDICATOR|PARENTHESIZED LATIN|"
    r"(?:NEGATIVE )?(?:CIRCLED|SQUARED) LATIN|CROSSED NEGATIVE SQUARED LATIN|TAG LATIN|OUTLINED LATIN)"
    r"(?: SUBSCRIPT| SUPERSCRIPT)?(?: LETTER| SMALL| CAPITAL| SYMBOL| SMALL CAPITAL| SMALL LETTER| CAPITAL LETTER"
    r"| LETTER SMALL| LETTER CAPITAL| LETTER SMALL CAPITAL| SYMBOL LETTER){1,2}"
    r"(?: TURNED| REVERSED| SIDEWAYS| INVERTED| BARRED| SCRIPT| BLACKLETTER| BOTTOM HALF| TOP HALF| DOTLESS| OPEN"
    r"| CLOSED| INSULAR| AFRICAN| STRETCHED| LONG| HALF)*"
    r" ([A-Z])(?: WITH .*)?"
)
"""Unicode names of letters that are variants of A to Z."""


@lru_cache(maxsize=8192)
def _letters_of(char: str) -> str:
    """The letters a to z that a lower-case character may stand for, the most likely first; empty if there is none."""
    if char.isascii():
        return char if char.isalpha() else ""
    if char in _LOOKS_LIKE:
        return _LOOKS_LIKE[char]
    name = unicodedata.name(char, "")
    found = _NAME.fullmatch(name)
    if found is not None:
        return found[1].lower()
    base, _, rest = name.partition(" WITH ")
    if rest:
        try:
            return _letters_of(unicodedata.lookup(base).lower())
        except KeyError:
            pass
    return _confusable(char)


def _confusable(char: str) -> str:
    """The letter a to z for a character in Unicode's table of confusables, if there is one."""
    seen = [char]
    for known in seen:
        for twin in (entry["c"] for entry in _confusables().get(known, ())):
            if len(twin) == 1 and twin.isascii() and twin.isalpha():
                return str(twin).lower()
            if len(seen) < 8 and twin not in seen:
                seen.append(twin)
    return ""


@cache
def _confusables() -> dict[str, list[dict[str, str]]]:
    data: dict[str, list[dict[str, str]]] = confusables.confusables_data
    return data


# --- from characters to symbols ------------------------------------------------------------------------------------

_TOUCHING, _SIGNS, _SPACE, _WIDE = range(4)
"""Kinds of gaps before a letter, in ascending width: none, signs, a space, more than that."""

_CROSSING = {_TOUCHING: 0.0, _SIGNS: 1.0, _SPACE: 2.5, _WIDE: 3.5}
"""Cost of continuing a word across a gap between parts of several letters."""

_NARROW, _BROAD, _BESIDE_ONE, _HUMP = 0.4, 2.5, 2.2, 0.3
"""The same between single letters, for the narrowest gaps of the text and for wider ones, next to one letter, and for a
capital after a lower-case letter."""

_SECOND_GUESS, _LEET_COST, _LEET_OFTEN, _DIGITS_ALONE, _SKIPPED, _MASKED = 0.8, 0.5, 0.3, 2.5, 1.0, 2.5


_LEET_SIGNS = frozenset(sign for sign in _LEET if not sign.isdigit())
_INNER_DIGIT = re.compile(r"(?<=[^\W\d_])[0-9]{1,4}(?=[^\W\d_])")
"""Digits between letters; where there are several such words, other digits are likely to stand for letters too."""

_INNER_SIGN = re.compile(r"(?<=[^\W\d_])[@$!|\u20ac\u00a3]{1,4}(?=[^\W\d_])")
_LEET_TOKEN = re.compile(r"[\w@$!|\u20ac\u00a3\u00a2+\u00a5\u00a7]+")
_LETTER_OR_DIGIT = re.compile(r"\w")
_MASKS = frozenset("*#\u25cf\u25a0\u2022")
"""Signs that are used in place of a letter."""

_RUN = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)


@dataclass(slots=True)
class _Atom:
    """A letter, digit, or sign that may be a letter, with the gap before it."""

    char: str
    letters: str
    gap: int
    capital: bool = False
    sign: bool = False
    part: int = 0


def symbols_of(text: str) -> list[Symbol]:
    """The characters of a text as input of ``Lexicon.segment``: letters that they may stand for, and gaps."""
    bare = "".join(
        char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) not in ("Mn", "Me")
    )
    atoms = _atoms(_RUN.sub(r"\1\1", bare))
    sizes = Counter(atom.part for atom in atoms)
    worded = {atom.part for atom in atoms if atom.letters and not atom.char.isdigit() and not atom.sign}
    digits = {atom.part for atom in atoms if atom.char.isdigit() or atom.sign}
    leet = bool(worded & digits)
    mixed = len(_INNER_DIGIT.findall(bare)) > 1
    signs = digits - worded - {atom.part for atom in atoms if not atom.sign}
    numbers = {part for part in digits - worded if sizes[part] > _LONGEST_LEET}
    single = [
        atom.gap
        for before, atom in pairwise(atoms)
        if atom.part != before.part and sizes[atom.part] == sizes[before.part] == 1
    ]
    narrowest = min(single, default=_TOUCHING)
    leet = leet or any(
        before.char.isdigit() != atom.char.isdigit()
        for before, atom in pairwise(atoms)
        if atom.part != before.part and sizes[atom.part] == sizes[before.part] == 1
    )
    symbols: list[Symbol] = []
    for index, atom in enumerate(atoms):
        before = atoms[index - 1] if index else None
        symbols.append(
            Symbol(
                options=()
                if atom.part in numbers
                else _options(atom, alone=atom.part not in worded and not leet, mixed=mixed),
                literal="" if atom.sign and atom.part not in signs else atom.char,
                crossing=0.0 if before is None else _crossing(before, atom, sizes, narrowest),
                boundary=_boundary(before, atom),
                skipping=_SKIPPED if atom.sign and atom.part not in signs else None,
            )
        )
    return symbols


def _atoms(text: str) -> list[_Atom]:
    atoms: list[_Atom] = []
    gap, part = _TOUCHING, 0
    leet = _leet_places(text)
    for index, raw in enumerate(text):
        before, after = text[index - 1] if index else " ", text[index + 1] if index + 1 < len(text) else " "
        if raw.isspace():
            gap = _WIDE if gap == _SIGNS or raw == "\n" else min(gap + _SPACE, _WIDE)
            continue
        char = raw.lower()[0]
        letters = _letters_of(char) or ("" if raw.isascii() else _letters_of(raw) or _letters_of(raw.upper()[0]))
        readable = raw.isalnum() or letters != ""
        if not readable:
            if raw in _APOSTROPHES and before.isalnum() and after.isalnum():
                continue
            # One by itself may be a letter; several close together stand between letters.
            nearby = text[max(0, index - 2) : index] + text[index + 1 : index + 3]
            masked = raw in _MASKS and before.isalnum() and after.isalnum() and _MASKS.isdisjoint(nearby)
            if index in leet or masked:
                letters = _LEET.get(raw, ascii_lowercase)
            else:
                gap = _WIDE if gap in (_SPACE, _WIDE) else _SIGNS
                continue
        elif char in _LEET:
            letters = _LEET[char]
        if gap != _TOUCHING:
            part += 1
        shown = char if not letters or char in _LEET else letters[0]
        atoms.append(_Atom(shown, letters, gap, capital=raw.isupper(), sign=not readable, part=part))
        gap = _TOUCHING
    return atoms


def _leet_places(text: str) -> set[int]:
    """Positions where signs may stand for letters: in words with letters or digits, and between such words."""
    places: set[int] = set()
    often = len(_INNER_SIGN.findall(text)) > 1
    for word in _LEET_TOKEN.finditer(text):
        core = word[0].rstrip(_CLOSING)
        if len(core) > 1 and (often or _LETTER_OR_DIGIT.search(word[0])):
            places.update(word.start() + at for at, char in enumerate(core) if char in _LEET_SIGNS)
    return places


def _options(atom: _Atom, *, alone: bool, mixed: bool = False) -> tuple[tuple[str, float], ...]:
    """The letters that an atom may stand for; digits that stand alone are usually numbers."""
    if atom.sign and len(atom.letters) > 2:
        return tuple((letter, _MASKED) for letter in atom.letters)
    if atom.sign or atom.char.isdigit():
        cost = _DIGITS_ALONE if alone and not atom.sign else _LEET_OFTEN if mixed else _LEET_COST
        return tuple((letter, cost) for letter in atom.letters)
    return tuple((letter, _SECOND_GUESS * index) for index, letter in enumerate(atom.letters))


def _crossing(before: _Atom, atom: _Atom, sizes: Mapping[int, int], narrowest: int) -> float:
    """Cost of continuing a word from one atom to the next."""
    if before.part == atom.part:
        return _HUMP if _humped(before, atom) else 0.0
    ones = (sizes[before.part] == 1) + (sizes[atom.part] == 1)
    if ones == 2:
        return _NARROW if atom.gap == narrowest else _BROAD
    if ones == 1 and atom.gap == _SPACE:
        return _BESIDE_ONE
    return _CROSSING[atom.gap]


def _boundary(before: _Atom | None, atom: _Atom) -> float:
    """Cost of a word that begins with an atom."""
    if before is None or before.part != atom.part or before.sign:
        return 0.0
    return 0.0 if _humped(before, atom) else SPLIT_COST


def _humped(before: _Atom, atom: _Atom) -> bool:
    """Whether a capital follows a lower-case letter, as in camelCase."""
    return atom.capital and not before.capital


# --- folding -------------------------------------------------------------------------------------------------------

_PIECE_END = re.compile(
    r"((?:(?<=\S)[.!?\u2026\u3002\uff01\uff1f\u061f\u06d4\u0964][^\w\s]{0,16}|(?<=\s)[.!?\u2026]{1,16}))\s+"
)
"""The end of a sentence. A sign by itself ends one too, but not where it begins a word of signs, as in ``!$ h0t``."""
_SIMPLE_TOKEN = re.compile(
    r"[\"'(]?(?:([0-9]{1,9}(?:[.,:][0-9]{1,9}){0,3}%?)|((?:[A-Z]?[a-z]+|[A-Z]+)(?:'[a-z]{1,3})?))[.,;:!?\"')]{0,3}"
)
"""A number or a word as people write it, with marks around it."""

_LEET_WORD = re.compile(r"[A-Za-z][0134578@$!|][A-Za-z]|[A-Za-z][0134578@$](?![\w.])")
_LONE_LEET = re.compile(r"(?<!\S)(?:[1!|]|(@))(?!\S)")
"""A sign that stands alone where others stand for letters: one of the words I and a."""

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
"""Least words of an address that is read by itself."""

_LITERAL_WHITE = re.compile(r"\\{1,2}[nrtvf](?![A-Za-z]{0,24}\*?\{)")
"""White space as programs write it."""

_SEPARATED_TOKENS, _LEAST_SEPARATED, _LONGEST_SEPARATED, _LEAST_SEPARATORS = 64, 5, 512, 3
"""Words of a text that are searched for a letter or digit between others; least words or letters around it, longest
such word, and how often it must stand there."""

_LONG = re.compile(r"(?:.{1,512}(?=\s|\Z)|.{1,512})", re.DOTALL)
"""Parts of a sentence that are segmented separately."""

_END_MARK = re.compile(r"[.!?](?=[^\w\s]{0,16}\Z)")
_OPENING = "\"'([{\u00bf\u00a1\u201c\u2018\u201e\u00ab"
_CLOSING = ".,!?;:\"')]}\u2026\u201d\u2019\u00bb"
_APOSTROPHE = re.compile("['\u2019]")

_SHORT = 2
"""Most words of a piece that may belong to a sentence cut up by full stops."""

_READINGS = 2
"""Ways to undo a reversal: by letters and by words."""

_EXPLAINED = 0.6
"""Least share of known words for a deciphered or reversed text to count as English."""

_MOST_BLANKS = 4
"""Size limit of a text that is read from top to bottom, relative to its content."""

_MAX_UNDONE = 6
"""Sentences of a text that are also tried backwards and as ciphers."""

_FOREIGN = 0.2
"""Share of known words below which a text is not folded, unless it can be deciphered."""

_PLAIN, _LIKELY, _GAIN = 0.85, 1.3, 0.85
"""Share of known words and cost per letter at which a text counts as English; and how much less an alternative must
cost."""

_LONGEST_LEET = 16
"""Digits and signs in a row that may stand for letters without any letter among them."""

_MAX_CORRECTIONS, _SHORTEST_SLIP, _LONGEST_SLIP = 64, 4, 24
"""Words of a sentence that are corrected, and their length."""

_STEPS_PER_CORRECTION = 24
"""Cost in steps of looking up all neighbours of a word, for each of its letters."""

_DECIPHERED_WORDS = 64
"""Words of a sentence by which a cipher is recognised."""


_FLIPPED = dict(
    zip(
        "\u0250q\u0254p\u01dd\u025f\u0183\u0253\u0265\u1d09\u0131\u027e\u029e\u05df\u026fuodb\u0279\u0287n\u028c\u028d\u028e",
        "abcdefgghiijklmnopqrtuvwy",
        strict=True,
    )
)
"""Letters of a text that was turned upside down."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Plain words of a text, if they differ from the text itself."""

    whole: tuple[str, ...] = ()
    """Variants of the text as a whole."""

    sentences: tuple[str, ...] = ()
    """Its sentences and lines that differ after folding."""

    ordinary: bool = True
    """Whether it consists only of known words with spaces between them."""


@dataclass(slots=True)
class FoldingState:
    """State shared by the texts of one request while they are folded."""

    effort: Effort = field(default_factory=Effort)
    """Remaining effort for folding them."""

    known: dict[tuple[str, bool], list[str]] = field(default_factory=dict)
    """Plain words of the sentences so far, and whether they were also tried backwards and as ciphers."""

    number: int = field(default_factory=count().__next__)
    """Names the request among those of this process."""


def variants(text: str, lexicon: Lexicon | None = None) -> tuple[str, ...]:
    """All variants of a text to judge: as displayed, plain, and folded.

    Without duplicates; the displayed text comes first. Arguments as of :func:`fold`.
    """
    seen = normalise(text)
    return tuple(dict.fromkeys((seen, in_small_letters(" ".join(seen.split())), *fold(seen, lexicon))))


def fold(text: str, lexicon: Lexicon | None = None) -> tuple[str, ...]:
    """Undo the disguise of a text as a whole: plain words in lower case, or nothing if there is no disguise.

    Capitals, line breaks and what :func:`normalise` undoes do not count as disguises here; :func:`variants` covers
    them.

    Args:
        text: anything.
        lexicon: the words to look for; English ones if None.
    """
    return fold_text(text, lexicon).whole


def fold_text(text: str, lexicon: Lexicon | None = None, state: FoldingState | None = None) -> Folded:
    """:func:`fold`, and the same for each sentence and line.

    Args:
        text: anything.
        lexicon: as :func:`fold`.
        state: shared by texts that are folded for the same request, with the same lexicon.
    """
    if len(text) > MAX_CHARACTERS or not text.strip():
        return Folded()
    words = english() if lexicon is None else lexicon
    if is_ordinary(text, words):
        return Folded(sentences=tuple(dict.fromkeys(_embedded(text))))
    seen = normalise(text)
    decoded = decode(seen)[:MAX_CHARACTERS]
    shared = FoldingState() if state is None else state
    found = [_fold_decoded(one, seen, words, shared) for one in (decoded, *_without_separators(decoded, words))]
    inside = [said for said in _embedded(seen) if said != seen]
    return Folded(
        whole=tuple(dict.fromkeys(whole for one in found for whole in one.whole)),
        sentences=tuple(dict.fromkeys([*(sentence for one in found for sentence in one.sentences), *inside])),
        ordinary=False,
    )


def _fold_decoded(decoded: str, seen: str, words: Lexicon, shared: FoldingState) -> Folded:
    """:func:`fold_text` of a text without markup and encodings."""
    if _LEET_WORD.search(decoded):
        decoded = _LONE_LEET.sub(lambda found: "a" if found[1] else "i", decoded)
    if _in_columns(decoded):
        decoded = " ".join("".join(column).strip() for column in zip_longest(*decoded.split("\n"), fillvalue=" "))
    found: dict[str, list[str]] = {}

    def plain(piece: str) -> list[str]:
        if piece not in found:
            undo = len(found) < _MAX_UNDONE
            known = shared.known.get((piece, True)) or (None if undo else shared.known.get((piece, False)))
            if known is None:
                ordinary = is_ordinary(piece, words)
                known = [" ".join(piece.lower().split())] if ordinary else []
                known = known or _plain_words(piece, words, shared.effort, undo=undo)
                shared.known[piece, undo] = known
            found[piece] = known
        return found[piece]

    pieces = _pieces(decoded)
    wholes = [" ".join(filter(None, (plain(piece)[0] for piece in pieces)))]
    if any(len(plain(piece)) > 1 for piece in pieces):
        wholes.append(" ".join(filter(None, (plain(piece)[-1] for piece in pieces))))
    lines = [piece for line in decoded.split("\n") for piece in _pieces(line)] if "\n" in decoded.strip() else []
    alone = [*pieces, *lines] if len(pieces) > 1 or lines else []
    sentences = (said for piece in dict.fromkeys(alone) for said in plain(piece) if reads_differently(said, piece))
    return Folded(
        whole=tuple(dict.fromkeys(whole for whole in wholes if reads_differently(whole, seen))),
        sentences=tuple(dict.fromkeys(sentence for sentence in sentences if " " in sentence)),
        ordinary=False,
    )


def _embedded(text: str) -> Iterator[str]:
    """The words in quotation marks (also those of attributes, JSON and source code), URLs and e-mail addresses."""
    plain = _html_unescaped(text)
    for quoted in _QUOTED_WORDS.finditer(plain):
        yield in_small_letters(" ".join((quoted[1] or quoted[2] or quoted[3]).split()))
    for address in _ADDRESS.finditer(plain):
        words = [word for word in _BETWEEN_WORDS.split(unquote(address[1] or address[2], errors="ignore")) if word]
        if len(words) >= _LEAST_EMBEDDED:
            yield " ".join(words).lower()


def _without_separators(text: str, lexicon: Lexicon) -> Iterator[str]:
    """A text without what may stand between its words or letters although it is made of letters itself."""
    if "\\" in text:
        escapes = len(_LITERAL_WHITE.findall(text))
        if escapes:  # between all letters, or between words
            yield _LITERAL_WHITE.sub("" if 3 * escapes > sum(map(str.isalpha, text)) - escapes else " ", text)
    tokens = text.split()
    between = word_between(tokens)
    if between is not None:
        yield " ".join(token for token in tokens if token.lower() != between)
    parts = [_split_by_character(token, lexicon) for token in tokens[:_SEPARATED_TOKENS]]
    if parts != tokens[:_SEPARATED_TOKENS]:
        yield " ".join([*parts, *tokens[_SEPARATED_TOKENS:]])


def word_between(tokens: Sequence[str]) -> str | None:
    """The word that stands between all others, in small letters; None where there is none."""
    if len(tokens) < _LEAST_SEPARATED:
        return None
    for start in (1, 0):
        places = {token.lower() for token in tokens[start::2]}
        if len(places) == 1 and len({token.lower() for token in tokens}) > _SHORT:
            return places.pop()
    return None


def _split_by_character(token: str, lexicon: Lexicon) -> str:
    """A long word that is words with the same letter or digit between them, as those words."""
    bare = token.lower().strip(_OPENING + _CLOSING)
    if not _LEAST_SEPARATED < len(bare) <= _LONGEST_SEPARATED or not bare.isascii() or bare in lexicon:
        return token
    for char, times in Counter(filter(str.isalnum, bare)).most_common():
        if times < _LEAST_SEPARATORS:
            break
        parts = bare.split(char)
        known = sum(len(part) for part in parts if len(part) > 1 and part in lexicon)
        if known >= _MOSTLY * sum(map(len, parts)):
            return token.lower().replace(char, " ")
    return token


def is_ordinary(text: str, lexicon: Lexicon) -> bool:
    """Whether a text consists of known words with white space between them, so that there is no disguise to undo."""
    if not text.isascii():
        return False
    tokens = text.split()
    letters_alone = ends = opened = 0
    for token in tokens:
        found = _SIMPLE_TOKEN.fullmatch(token)
        if found is None or not (found[1] or found[2].lower().replace("'", "") in lexicon):
            return False
        # Letters in a row may make words, and so may words that each end like a sentence.
        letters_alone = letters_alone + 1 if len(found[2] or "") == 1 else 0
        ends += token[-1] in ".!?"
        opened += token[0] in _OPENING
        if letters_alone > _SHORT:
            return False
    if word_between(tokens) is not None:
        return False
    return max(ends, opened) <= max(_SHORT, len(tokens) // 3)


def _in_columns(text: str) -> bool:
    """Whether a text has several lines of single characters, to be read from top to bottom."""
    words, lines = text.split(), text.split("\n")
    if len(lines) < 3 or len(words) <= len(lines) or any(len(word) > 1 for word in words):
        return False
    return max(map(len, lines)) * len(lines) <= _MOST_BLANKS * len(text)  # a table, all of whose cells will be read


def _pieces(text: str) -> list[str]:
    """The sentences of a text; neighbours with hardly a word each stay together."""
    cut = [piece for piece in _PIECE_END.sub("\\1\0", text.strip()).split("\0") if piece]
    pieces: list[str] = []
    run: list[str] = []
    cut = [part for piece in cut for part in _LONG.findall(piece)]
    for piece in (*cut, ""):
        if piece and len(piece.split(maxsplit=_SHORT)) <= _SHORT:
            run.append(piece)
            continue
        pieces += [" ".join(run)] if len(run) > _SHORT else run
        run = []
        pieces += [piece] if piece else []
    return pieces


def _plain_words(piece: str, lexicon: Lexicon, effort: Effort, *, undo: bool) -> list[str]:
    """One sentence in plain words, with its final punctuation; two variants if it is ambiguous."""
    effort.add(len(piece))
    straight = lexicon.segment(symbols_of(piece), effort)
    found = [straight]
    foreign = straight.explained < _FOREIGN
    if undo and (straight.explained < _PLAIN or straight.cost > _LIKELY * sum(map(len, straight.words))):
        others = []
        for undone in _undone(piece, lexicon):
            if effort.used_up:
                break
            others.append(lexicon.segment(symbols_of(undone), effort))
        likelier = [other for other in others if other.explained >= _EXPLAINED and other.cost < _GAIN * straight.cost]
        found = sorted(likelier, key=lambda other: other.cost)[:_READINGS] or found
    if foreign and found == [straight]:
        return [" ".join(piece.lower().split()) if any(map(str.isalnum, piece)) else ""]
    mark = _END_MARK.search(piece)
    return [" ".join(_corrected(one.words, lexicon, effort)) + (mark[0] if mark and one.words else "") for one in found]


def _corrected(words: Sequence[str], lexicon: Lexicon, effort: Effort) -> list[str]:
    """Words with typing errors corrected, where this gives known words."""
    left = _MAX_CORRECTIONS
    corrected = []
    for word in words:
        fit = _SHORTEST_SLIP <= len(word) <= _LONGEST_SLIP and word.isascii() and word.isalpha()
        if left and fit and not effort.used_up and word not in lexicon:
            left -= 1
            effort.left -= _STEPS_PER_CORRECTION * len(word)
            word = lexicon.corrected(word) or word
        corrected.append(word)
    return corrected


def _undone(piece: str, lexicon: Lexicon) -> Iterator[str]:
    """Alternative readings of a text that is not likely English."""
    if any(not char.isascii() and char in _FLIPPED for char in piece):
        yield "".join(_FLIPPED.get(char, char) for char in reversed(piece.lower()))
    yield piece[::-1]
    words = piece.split()
    yield " ".join(word[::-1] for word in words)
    if len(words) > 1:
        yield "".join(words)
    if sum(word.lower().rstrip(_CLOSING).endswith("ay") for word in words) * 2 > len(words):
        yield " ".join(_from_pig_latin(word.lower().rstrip(_CLOSING), lexicon) for word in words)
    if piece.isascii():
        yield from _deciphered(piece.lower(), lexicon)


def _from_pig_latin(word: str, lexicon: Lexicon) -> str:
    """Undo Pig Latin: the known word whose first letters moved to the end, before "ay"; otherwise the word itself."""
    stem = word.removesuffix("ay")
    found = [stem[-size:] + stem[:-size] for size in range(1, 5) if size < len(stem)]
    found += [stem.removesuffix("w"), stem.removesuffix("y")]
    known = [(cost, one) for one in found if (cost := lexicon.cost_of(one)) is not None]
    return min(known)[1] if known and stem != word else word


def _deciphered(piece: str, lexicon: Lexicon) -> Iterator[str]:
    """Undo a shifted or reversed alphabet, if this gives more known words than any alternative."""
    words = re.findall(r"[a-z]+", piece)[:_DECIPHERED_WORDS]
    tables = [
        str.maketrans(ascii_lowercase, ascii_lowercase[shift:] + ascii_lowercase[:shift]) for shift in range(1, 26)
    ]
    tables.append(str.maketrans(ascii_lowercase, ascii_lowercase[::-1]))
    known = [sum(len(word) for word in words if word.translate(table) in lexicon) for table in tables]
    most = max(known)
    if most > sum(map(len, words)) / 2:
        yield piece.translate(tables[known.index(most)])


def reads_differently(folded: str, text: str) -> bool:
    """Whether words differ from a text, ignoring case and punctuation at the edges of words."""
    if not folded:
        return False
    stops = sum(word[-1] in ".!?" for word in text.split()) - sum(word[-1] in ".!?" for word in folded.split())
    return stops > _SHORT or _edgeless(folded) != _edgeless(text)


def _edgeless(text: str) -> list[str]:
    """The words of a text without case and punctuation at their edges; words with digits are left out."""
    words = text.lower().split()
    # Marks in front of one word or two are quotation marks or brackets; in front of most they are a disguise.
    if sum(word[0] in _OPENING for word in words) <= max(2, len(words) // 3):
        words = [word.lstrip(_OPENING) for word in words]
    words = [word.rstrip(_CLOSING) for word in words]
    words = [word for word in words if word and not any(map(str.isdigit, word))]
    return [_APOSTROPHE.sub("", word) if len(_APOSTROPHE.findall(word)) == 1 else word for word in words]
