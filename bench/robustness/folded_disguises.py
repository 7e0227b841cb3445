"""Disguises that ``safety_core.inputs.text.folding`` undoes by rule, alone and in combination."""

from html import escape
from itertools import zip_longest
from random import Random

from bench.robustness.disguises import Disguise
from bench.robustness.text_changes import (
    ALPHABET,
    chain_changes,
    change_characters,
    change_letters,
    change_words,
    join_letters,
    join_words,
    mark_letters,
    shift_letters,
    swap_letters,
    wrap_words,
)


def _write_columns(text: str, rng: Random) -> str:
    return "\n".join(" ".join(row) for row in zip_longest(*text.split(), fillvalue=" "))


def _insert_marks(text: str, rng: Random) -> str:
    first, *rest = text.split()
    return first + "".join(
        rng.choice([".", "_", "-", "/", "|", "~", "+", "=", ":", ";", "*", "\u2022", "\u00b7", "\u2014"]) + word
        for word in rest
    )


def _repeat_vowels(text: str, rng: Random) -> str:
    return "".join(char * rng.randint(3, 6) if char in "aeiou" else char for char in text)


def _mix_scripts(text: str, rng: Random) -> str:
    twins = {
        "a": "\u0430\u03b1\u0251\uff41",
        "c": "\u0441\u03f2\u217d",
        "e": "\u0435\u212e\u04bd",
        "h": "\u04bb\u0570\u210e",
        "i": "\u0456\u03b9\u2170\u0131",
        "k": "\u03ba\u043a",
        "m": "\u043c\u217f",
        "n": "\u0578\u03b7",
        "o": "\u043e\u03bf\u0585\u0ed0\u1d0f",
        "p": "\u0440\u03c1",
        "r": "\u0433\u1d26",
        "s": "\u0455\ua731",
        "t": "\u03c4\u0442",
        "u": "\u03c5\u057d\u1d1c",
        "w": "\u0461\u051d\u1d21",
        "x": "\u0445\u04b3",
        "y": "\u0443\u04af\u03b3",
        "d": "\u0501\u217e",
        "b": "\u042c\u15af",
        "l": "\u04cf\u217c",
        "g": "\u0261\u0581",
        "v": "\u03bd\u0475",
        "j": "\u0458",
        "q": "\u051b",
    }
    return "".join(rng.choice(twins.get(char, char)) for char in text)


def _move_spaces(text: str, rng: Random) -> str:
    letters = text.replace(" ", "")
    parts: list[str] = []
    while letters:
        size = rng.randint(2, 5)
        parts.append(letters[:size])
        letters = letters[size:]
    return " ".join(parts)


def _break_words(text: str, rng: Random) -> str:
    def broken(word: str) -> str:
        at = rng.randint(1, len(word) - 1) if len(word) > 3 else 0
        return f"{word[:at]} {word[at:]}" if at else word

    return " ".join(map(broken, text.split()))


def _hyphenate(text: str, rng: Random) -> str:
    return " ".join(
        f"{word[: len(word) // 2]}-\n{word[len(word) // 2 :]}" if len(word) > 3 else word for word in text.split()
    )


def _mask_letters(text: str, rng: Random) -> str:
    """One inner letter of each longer word behind a star."""

    def masked(word: str) -> str:
        if len(word) < 4 or not word.isalpha():
            return word
        at = rng.randint(1, len(word) - 2)
        return f"{word[:at]}*{word[at + 1 :]}"

    return " ".join(map(masked, text.split()))


_FLIPPED = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz?!.",
        "\u0250q\u0254p\u01dd\u025f\u0183\u0265\u1d09\u027e\u029el\u026fuodb\u0279s\u0287n\u028c\u028dx\u028ez\u00bf\u00a1\u02d9",
        strict=True,
    )
)

_SMALL_CAPITALS = "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\ua7af\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21x\u028f\u1d22"

_SUPERSCRIPTS = "\u1d43\u1d47\u1d9c\u1d48\u1d49\u1da0\u1d4d\u02b0\u2071\u02b2\u1d4f\u02e1\u1d50\u207f\u1d52\u1d56q\u02b3\u02e2\u1d57\u1d58\u1d5b\u02b7\u02e3\u02b8\u1dbb"

_CYRILLIC = swap_letters(
    "aceiopsxyjhABCEHKMOPTXY",
    "\u0430\u0441\u0435\u0456\u043e\u0440\u0455\u0445\u0443\u0458\u04bb\u0410\u0412\u0421\u0415\u041d\u041a\u041c\u041e\u0420\u0422\u0425\u0423",
)

_FAUX_CYRILLIC = swap_letters(
    "abehkmnorstuwxy", "\u0430\u044c\u0435\u043d\u043a\u043c\u0438\u043e\u044f\u0455\u0442\u0446\u0448\u0445\u0443"
)

_GREEK = swap_letters("aeiknoptuvwxy", "\u03b1\u03b5\u03b9\u03ba\u03b7\u03bf\u03c1\u03c4\u03c5\u03bd\u03c9\u03c7\u03b3")

_LEET_DIGITS = swap_letters("aeiostAEIOST", "431057431057")

_LEET_SIGNS = swap_letters("aisltAISLT", "@!$|+@!$|+")

_ENTITIES = change_characters(lambda char: f"&#{ord(char)};")


def _write_camel_case(text: str, rng: Random) -> str:
    first, *rest = text.split()
    return first.lower() + "".join(word[:1].upper() + word[1:].lower() for word in rest)


def _write_pascal_case(text: str, rng: Random) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in text.split())


def _write_table(text: str, rng: Random) -> str:
    words = text.split()
    return f"| {' | '.join(words)} |\n|{'---|' * len(words)}"


FOLDED: dict[str, Disguise] = {
    name: Disguise(title=title, change=change)
    for name, title, change in (
        ("dots", "dots for spaces", join_words(".")),
        ("underscores", "underscores for spaces", join_words("_")),
        ("hyphens", "hyphens for spaces", join_words("-")),
        ("slashes", "slashes for spaces", join_words("/")),
        ("exclamations", "exclamation marks for spaces", join_words("!")),
        ("commas", "commas for spaces", join_words(",")),
        ("random_marks", "any mark for each space", _insert_marks),
        ("pictographs", "emoji between words", join_words(" \U0001f642 ")),
        ("full_stops", "each word a sentence", join_words(". ")),
        ("spaced", "spaces between letters, two between words", join_letters(" ", "  ")),
        ("spaced_evenly", "spaces between letters, no others", lambda text, _: " ".join(text.replace(" ", ""))),
        ("dotted", "dots between letters, spaces between words", join_letters(".")),
        ("dotted_evenly", "dots between letters, no spaces", lambda text, _: ".".join(text.replace(" ", ""))),
        ("hyphenated_letters", "hyphens between letters", join_letters("-")),
        ("starred_letters", "stars between letters", join_letters("*")),
        ("pictograph_letters", "emoji between letters", join_letters("\U0001f525")),
        ("doubled", "each letter twice", change_letters(lambda char: 2 * char)),
        ("stretched", "vowels repeated three to six times", _repeat_vowels),
        ("accents", "an accent on each letter", mark_letters(1)),
        ("zalgo", "eight marks on each letter", mark_letters(8)),
        ("cyrillic", "Cyrillic twins", _CYRILLIC),
        ("faux_cyrillic", "Cyrillic letters that are no exact twins", _FAUX_CYRILLIC),
        ("greek", "Greek twins", _GREEK),
        ("mixed_scripts", "look-alikes of many scripts", _mix_scripts),
        ("mathematical", "mathematical bold letters", shift_letters(0x1D400, 0x1D41A)),
        ("fraktur", "mathematical Fraktur letters", shift_letters(0x1D56C, 0x1D586)),
        ("circled", "circled letters", shift_letters(0x24B6, 0x24D0)),
        ("fullwidth", "full-width letters", shift_letters(0xFF21, 0xFF41)),
        ("squared", "squared letters", shift_letters(0x1F130)),
        ("negative_squared", "negative squared letters", shift_letters(0x1F170)),
        ("parenthesized", "parenthesised letters", chain_changes(lambda text, _: text.lower(), shift_letters(0x249C))),
        ("regional", "regional indicators (flag letters)", shift_letters(0x1F1E6)),
        ("small_capitals", "small capitals", chain_changes(lambda text, _: text.lower(), swap_letters(ALPHABET, _SMALL_CAPITALS))),
        ("superscripts", "superscript letters", chain_changes(lambda text, _: text.lower(), swap_letters(ALPHABET, _SUPERSCRIPTS))),
        ("flipped", "upside down", lambda text, _: "".join(_FLIPPED.get(char, char) for char in reversed(text.lower()))),
        ("reversed", "letters from right to left", lambda text, _: text[::-1]),
        ("reversed_words", "each word from right to left", change_words(lambda word: word[::-1])),
        ("bold", "Markdown bold words", wrap_words("**", "**")),
        ("bold_letters", "Markdown bold letters", change_letters(lambda char: f"**{char}**")),
        ("struck", "Markdown struck words", wrap_words("~~", "~~")),
        ("code", "Markdown code words", wrap_words("`", "`")),
        ("headings", "a Markdown heading a word", wrap_words("# ", "", "\n")),
        ("quoted_lines", "a Markdown quote a word", wrap_words("> ", "", "\n")),
        ("listed", "a numbered list of words", lambda text, _: "\n".join(f"{at}. {word}" for at, word in enumerate(text.split(), 1))),
        ("links", "each word a Markdown link", wrap_words("[", "](https://example.com/a)")),
        ("table", "a Markdown table of words", _write_table),
        ("tags", "HTML <b> around words", wrap_words("<b>", "</b>")),
        ("tags_joined", "HTML <span> around words without spaces", wrap_words('<span class="x">', "</span>", "")),
        ("tags_letters", "HTML <i> around letters", change_letters(lambda char: f"<i>{char}</i>")),
        ("blocks", "HTML <div> around words", wrap_words("<div>", "</div>", "")),
        ("comments", "HTML comments between letters", join_letters("<!-- -->")),
        ("breaks", "HTML <br> between words", join_words("<br>")),
        ("non_breaking", "&nbsp; between words", join_words("&nbsp;")),
        ("entities", "decimal HTML entities", _ENTITIES),
        ("hex_entities", "hexadecimal HTML entities", change_characters(lambda char: f"&#x{ord(char):X};")),
        ("double_entities", "HTML entities of entities", change_characters(lambda char: escape(f"&#{ord(char)};"))),
        ("bbcode", "BBCode around words", wrap_words("[b]", "[/b]")),
        ("soft_hyphens", "soft hyphens between letters", join_letters("\u00ad")),
        ("word_joiners", "word joiners between letters", join_letters("\u2060")),
        ("percent", "percent-encoding", change_characters(lambda char: f"%{ord(char):02X}")),
        ("double_percent", "percent-encoding twice", change_characters(lambda char: f"%25{ord(char):02x}")),
        ("unicode_escapes", "\\u0068 escapes", change_characters(lambda char: f"\\u{ord(char):04x}")),
        ("hex_escapes", "\\x68 escapes", change_characters(lambda char: f"\\x{ord(char):02x}")),
        ("code_points", "U+0068 notation", change_characters(lambda char: f"U+{ord(char):04X}", " ")),
        ("quoted_printable", "quoted-printable", change_characters(lambda char: f"={ord(char):02X}")),
        ("leet_digits", "digits for letters", _LEET_DIGITS),
        ("leet_signs", "signs for letters", _LEET_SIGNS),
        ("masked", "a star for one letter of each word", _mask_letters),
        ("camel_case", "camelCase", _write_camel_case),
        ("pascal_case", "PascalCase", _write_pascal_case),
        ("snake_case", "snake_case", lambda text, _: "_".join(text.lower().split())),
        ("joined", "no spaces", join_words("")),
        ("moved_spaces", "spaces at other places", _move_spaces),
        ("broken_words", "a space in each longer word", _break_words),
        ("line_ends", "words hyphenated at line ends", _hyphenate),
        ("letter_lines", "a letter a line", lambda text, _: "\n".join(text.replace(" ", ""))),
        ("columns", "words in columns", _write_columns),
        ("bracketed", "brackets around letters", change_letters(lambda char: f"[{char}]")),
        ("bracketed_words", "brackets around words", wrap_words("(", ")")),
        ("quoted_words", "quotation marks around words", wrap_words('"', '"')),
        ("alternating", "aLtErNaTiNg case", lambda text, _: "".join(c.upper() if at % 2 else c.lower() for at, c in enumerate(text))),
        ("cyrillic_dots_entities", "Cyrillic twins, dots for spaces, HTML entities", chain_changes(_CYRILLIC, join_words("."), _ENTITIES)),
        ("leet_spaced", "digits for letters, spaces between letters", chain_changes(_LEET_DIGITS, join_letters(" ", "   "))),
        ("accents_camel", "accents, PascalCase", chain_changes(_write_pascal_case, mark_letters(2))),
        ("fullwidth_tags", "full-width letters, each in HTML tags", chain_changes(shift_letters(0xFF21, 0xFF41), lambda text, _: "".join(f"<b>{c}</b>" if c.isalpha() else c for c in text))),
        ("doubled_hyphens", "each letter twice, hyphens for spaces", chain_changes(change_letters(lambda char: 2 * char), join_words("-"))),
        ("small_capitals_underscores", "small capitals, underscores for spaces", chain_changes(lambda text, _: text.lower(), swap_letters(ALPHABET, _SMALL_CAPITALS), join_words("_"))),
        ("percent_greek", "Greek twins, percent-encoded", lambda text, rng: "".join(f"%{byte:02X}" for byte in _GREEK(text, rng).encode())),
        ("reversed_zero_width", "right to left, zero-width spaces between letters", lambda text, _: "\u200b".join(text[::-1])),
        ("bold_leet", "digits for letters, Markdown bold letters", chain_changes(_LEET_DIGITS, lambda text, _: "".join(f"**{c}**" if c.isalnum() else c for c in text))),
    )
}  # fmt: skip
"""Disguises that rules undo, by their names in the record."""
