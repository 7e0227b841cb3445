"""Finds Latin letters for look-alikes: letters of other scripts, such as Cyrillic, and signs."""

import re
import unicodedata
from functools import cache, lru_cache

from confusable_homoglyphs import confusables

_LOOKALIKE_TABLE = """
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

_LOOKALIKES = dict(pair.split(":") for pair in _LOOKALIKE_TABLE.split())
"""Latin letters for characters of other scripts and signs: similar in appearance first, then similar in sound."""

_LETTER_NAME = re.compile(
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
def find_latin_letters(char: str) -> str:
    """Find the letters a to z that a lower-case character may stand for, the most likely first; may be empty."""
    if char.isascii():
        return char if char.isalpha() else ""
    if char in _LOOKALIKES:
        return _LOOKALIKES[char]
    name = unicodedata.name(char, "")
    match = _LETTER_NAME.fullmatch(name)
    if match is not None:
        return match[1].lower()
    base, _, rest = name.partition(" WITH ")
    if rest:
        try:
            return find_latin_letters(unicodedata.lookup(base).lower())
        except KeyError:
            pass
    return _find_confusable(char)


def _find_confusable(char: str) -> str:
    """Find the letter a to z for a character in Unicode's table of confusables; empty if there is none."""
    chain = [char]
    for known in chain:
        for twin in (entry["c"] for entry in _load_confusables().get(known, ())):
            if len(twin) == 1 and twin.isascii() and twin.isalpha():
                return str(twin).lower()
            if len(chain) < 8 and twin not in chain:
                chain.append(twin)
    return ""


@cache
def _load_confusables() -> dict[str, list[dict[str, str]]]:
    data: dict[str, list[dict[str, str]]] = confusables.confusables_data
    return data
