r"""Undoes disguises of a text: folds markup, look-alike letters, odd separators and spellings to plain words.

:func:`fold` undoes what rules can undo, in any combination, and returns a few variants of a text, which the safety head
judges in addition to the text itself. Folding only adds variants: the text in its own script is judged unchanged.

1. ``encodings`` decodes entities, escapes and other encodings and removes markup, in layers;
2. ``sentences`` cuts the text into sentences;
3. ``letter_symbols`` turns each character into the letters that it may stand for: look-alikes of other scripts
   (``confusables``), digits and signs (``leetspeak``); everything else is a gap between letters;
4. ``Lexicon.segment`` finds the most likely English words, whatever separates the letters.

Work and output are linear in the length of the text, with a bound on the alternatives that are followed
(``lexicon.Effort``): a text that is more ambiguous is still folded, using only its most likely letters. Pure text;
knows no model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, zip_longest

from safety_core.inputs.text.disguises.ciphers import list_decipherings
from safety_core.inputs.text.disguises.encodings import decode_text
from safety_core.inputs.text.disguises.leetspeak import replace_lone_signs
from safety_core.inputs.text.disguises.letter_symbols import build_symbols
from safety_core.inputs.text.disguises.separators import is_in_columns, remove_separators
from safety_core.inputs.text.lexicon import Effort, Lexicon, load_english
from safety_core.inputs.text.normalisation import lower_capitals, normalise
from safety_core.inputs.text.plain_text import has_other_words, is_ordinary
from safety_core.inputs.text.quotations import find_quotations
from safety_core.inputs.text.sentences import split_pieces

MAX_FOLDED_CHARACTERS = 65_536
"""Maximum characters of a text that is folded; prompts are shorter, even if NFKC expands their characters."""

_END_MARK = re.compile(r"[.!?](?=[^\w\s]{0,16}\Z)")

_READINGS = 2
"""Ways to undo a reversal: by letters and by words."""

_EXPLAINED = 0.6
"""Minimum share of known words for a deciphered or reversed text to count as English."""

_MAX_DECIPHERED = 6
"""Maximum sentences of a text that are also read backwards and as ciphers."""

_FOREIGN = 0.2
"""Share of known words below which a text is not folded, unless it can be deciphered."""

_PLAIN, _LIKELY, _GAIN = 0.85, 1.3, 0.85
"""Share of known words and cost per letter at which a text counts as English; and the maximum cost of an alternative,
relative to the direct reading."""

_MAX_CORRECTIONS, _SHORTEST_SLIP, _LONGEST_SLIP = 64, 4, 24
"""Maximum corrected words of a sentence, and minimum and maximum length of these words."""

_STEPS_PER_CORRECTION = 24
"""Steps per letter for looking up all words that differ from a word by one typing error."""


@dataclass(frozen=True, slots=True)
class FoldedText:
    """Plain words of a text, if they differ from the text itself."""

    whole: tuple[str, ...] = ()
    """Variants of the text as a whole."""

    sentences: tuple[str, ...] = ()
    """Sentences and lines that differ after folding."""

    ordinary: bool = True
    """Whether it consists only of known words with spaces between them."""


@dataclass(slots=True)
class FoldingState:
    """State shared by the texts of one request while they are folded."""

    effort: Effort = field(default_factory=Effort)
    """Remaining effort for folding these texts."""

    known: dict[tuple[str, bool], list[str]] = field(default_factory=dict)
    """Plain words by sentence, and whether the sentence was also read backwards and as a cipher."""

    number: int = field(default_factory=count().__next__)
    """Identifies the request within this process."""


def list_variants(text: str, lexicon: Lexicon | None = None) -> tuple[str, ...]:
    """List all variants of a text to judge: as displayed, plain, and folded.

    There are no duplicates, and the displayed text comes first. Arguments are those of :func:`fold`.
    """
    displayed = normalise(text)
    return tuple(dict.fromkeys((displayed, lower_capitals(" ".join(displayed.split())), *fold(displayed, lexicon))))


def fold(text: str, lexicon: Lexicon | None = None) -> tuple[str, ...]:
    """Undo the disguise of a text as a whole: plain words in lower case, or nothing if there is no disguise.

    Capitals, line breaks and everything that :func:`normalise` undoes do not count as disguises here;
    :func:`list_variants` covers them.

    Args:
        text: anything.
        lexicon: the words to look for; English words if None.
    """
    return fold_text(text, lexicon).whole


def fold_text(text: str, lexicon: Lexicon | None = None, state: FoldingState | None = None) -> FoldedText:
    """Undo the disguises of a text, and of each sentence and line separately.

    Args:
        text: anything.
        lexicon: as :func:`fold`.
        state: shared by texts that are folded for the same request, with the same lexicon.
    """
    if len(text) > MAX_FOLDED_CHARACTERS or not text.strip():
        return FoldedText()
    words = load_english() if lexicon is None else lexicon
    if is_ordinary(text, words):
        return FoldedText(sentences=tuple(dict.fromkeys(find_quotations(text))))
    displayed = normalise(text)
    decoded = decode_text(displayed)[:MAX_FOLDED_CHARACTERS]
    shared = FoldingState() if state is None else state
    candidates = (decoded, *remove_separators(decoded, words))
    folded = [_fold_decoded(candidate, displayed, words, shared) for candidate in candidates]
    quotations = [quotation for quotation in find_quotations(displayed) if quotation != displayed]
    return FoldedText(
        whole=tuple(dict.fromkeys(whole for part in folded for whole in part.whole)),
        sentences=tuple(dict.fromkeys([*(sentence for part in folded for sentence in part.sentences), *quotations])),
        ordinary=False,
    )


def _fold_decoded(decoded: str, displayed: str, words: Lexicon, shared: FoldingState) -> FoldedText:
    """Fold a text that contains no markup and no encodings."""
    decoded = replace_lone_signs(decoded)
    if is_in_columns(decoded):
        decoded = " ".join("".join(column).strip() for column in zip_longest(*decoded.split("\n"), fillvalue=" "))
    spellings: dict[str, list[str]] = {}

    def spell(piece: str) -> list[str]:
        if piece not in spellings:
            decipher = len(spellings) < _MAX_DECIPHERED
            known = shared.known.get((piece, True)) or (None if decipher else shared.known.get((piece, False)))
            if known is None:
                ordinary = is_ordinary(piece, words)
                known = [" ".join(piece.lower().split())] if ordinary else []
                known = known or _spell_plainly(piece, words, shared.effort, decipher=decipher)
                shared.known[piece, decipher] = known
            spellings[piece] = known
        return spellings[piece]

    pieces = split_pieces(decoded)
    wholes = [" ".join(filter(None, (spell(piece)[0] for piece in pieces)))]
    if any(len(spell(piece)) > 1 for piece in pieces):
        wholes.append(" ".join(filter(None, (spell(piece)[-1] for piece in pieces))))
    lines = [piece for line in decoded.split("\n") for piece in split_pieces(line)] if "\n" in decoded.strip() else []
    parts = [*pieces, *lines] if len(pieces) > 1 or lines else []
    sentences = (
        sentence for part in dict.fromkeys(parts) for sentence in spell(part) if has_other_words(sentence, part)
    )
    return FoldedText(
        whole=tuple(dict.fromkeys(whole for whole in wholes if has_other_words(whole, displayed))),
        sentences=tuple(dict.fromkeys(sentence for sentence in sentences if " " in sentence)),
        ordinary=False,
    )


def _spell_plainly(piece: str, lexicon: Lexicon, effort: Effort, *, decipher: bool) -> list[str]:
    """Spell one sentence in plain words, with its final punctuation; two variants if it is ambiguous."""
    effort.add(len(piece))
    straight = lexicon.segment(build_symbols(piece), effort)
    spellings = [straight]
    foreign = straight.explained < _FOREIGN
    if decipher and (straight.explained < _PLAIN or straight.cost > _LIKELY * sum(map(len, straight.words))):
        others = []
        for deciphered in list_decipherings(piece, lexicon):
            if effort.used_up:
                break
            others.append(lexicon.segment(build_symbols(deciphered), effort))
        likelier = [other for other in others if other.explained >= _EXPLAINED and other.cost < _GAIN * straight.cost]
        spellings = sorted(likelier, key=lambda other: other.cost)[:_READINGS] or spellings
    if foreign and spellings == [straight]:
        return [" ".join(piece.lower().split()) if any(map(str.isalnum, piece)) else ""]
    mark = _END_MARK.search(piece)
    return [
        " ".join(_correct_words(spelling.words, lexicon, effort)) + (mark[0] if mark and spelling.words else "")
        for spelling in spellings
    ]


def _correct_words(words: Sequence[str], lexicon: Lexicon, effort: Effort) -> list[str]:
    """Correct typing errors in words if this gives known words."""
    left = _MAX_CORRECTIONS
    corrected = []
    for word in words:
        fit = _SHORTEST_SLIP <= len(word) <= _LONGEST_SLIP and word.isascii() and word.isalpha()
        if left and fit and not effort.used_up and word not in lexicon:
            left -= 1
            effort.left -= _STEPS_PER_CORRECTION * len(word)
            word = lexicon.correct(word) or word
        corrected.append(word)
    return corrected
