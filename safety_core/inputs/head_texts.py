"""Lists the texts of a conversation that the safety head judges: turns, sentences, windows and undisguised texts.

Knows no token ids: ``prompts`` encodes the texts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from safety_core.errors import ConfigError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.text.folding import FoldedText, FoldingState
from safety_core.inputs.text.folding_process import Folding
from safety_core.inputs.text.invisible_characters import reveal_hidden
from safety_core.inputs.text.normalisation import lower_capitals
from safety_core.inputs.text.plain_text import has_other_words
from safety_core.inputs.text.sentences import split_sentences
from safety_core.inputs.turn_windows import MAX_FOLDED_WINDOWS, MAX_WINDOWS, has_only_whole_questions, list_turn_windows
from safety_core.strict_json import StrictModel, parse_model

MAX_SENTENCES = 128
"""Maximum number of sentences of a conversation that are judged separately, and of single lines. If there are more,
adjacent ones are joined to this number of groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextViews:
    """The texts that a head judges in addition to each turn and to the user's words as a whole.

    Each view finds requests that are hidden in other text, and each has false alarms of its own. A head that
    understands long texts needs fewer of them than one that does not.
    """

    sentences: bool = True
    """Sentences and single lines of a text that has at least ``fewest_sentences``."""

    disguises: bool = True
    """Texts, and their sentences, with disguises undone (:mod:`safety_core.inputs.text.folding`)."""

    windows: bool = True
    """Adjacent turns as one text, and the user's turns as one text."""

    without_images: bool = False
    """Each text without the images too, as a view that decides: an image beside words can then raise their risk, but
    not lower it."""

    images_alone: bool = False
    """Each image without the texts too, as a view that decides: words beside an image can then raise its risk, but not
    lower it."""

    fewest_sentences: int = 2
    """Sentences, or single lines, from which on those of a text are judged separately, as sent and undisguised. A head
    that understands texts of a few sentences judges these better as a whole."""

    def __post_init__(self) -> None:
        if self.fewest_sentences < 2:
            raise ConfigError(f"text_views.fewest_sentences: at least 2 is needed, got {self.fewest_sentences}")

    @classmethod
    def parse(cls, data: object) -> "TextViews":
        """Parse the ``text_views`` object of ``safevlm.json``; raises ConfigError if it is malformed."""
        return cls(**dict(parse_model(_TextViewFields, data, where="text_views")))


class _TextViewFields(StrictModel):
    sentences: bool
    disguises: bool
    windows: bool
    without_images: bool = False
    images_alone: bool = False
    fewest_sentences: int = 2


@dataclass(frozen=True, slots=True)
class HeadTexts:
    """Lists the texts of conversations in one prompt format.

    A plain text has one line, usual capitals, and no spelled-out special tokens or role markers.
    """

    template_words: re.Pattern[str]
    """Matches special tokens and role markers."""

    folding: Folding
    """Undoes disguises."""

    views: TextViews = TextViews()
    """Which texts to list."""

    def list_texts(self, turns: Sequence[Turn], *, sentences: bool) -> list[str]:
        """List all texts to judge in addition to the user's words as a whole; duplicates are possible.

        Args:
            turns: the conversation.
            sentences: whether to judge sentences and lines separately, and to search for disguises.
        """
        texts = [text for turn in turns for text in (turn.text, *turn.parts)]
        user_texts = [turn.text for turn in turns if turn.role == "user"]
        variants = [*texts, *(plain for text in texts if (plain := self._simplify(text)) != _trim_once(text))]
        if self.views.windows and len(user_texts) > 1 and not has_only_whole_questions(turns):
            variants.append(self._simplify(" ".join(user_texts)))
        state = FoldingState()
        undoes = sentences and self.views.disguises
        folded = {text: self._fold(text, state) for text in dict.fromkeys(texts)} if undoes else {}
        if self.views.windows:
            variants += self._join_turns(turns, folded, state)
        variants += self._list_folded(folded)
        if sentences and self.views.sentences:
            variants += self._list_sentences(texts)
        return variants + self._list_hidden(texts, state)

    def _simplify(self, text: str) -> str:
        """Convert a text to a plain text."""
        for _ in range(2):  # capitals may hide a role marker
            text = lower_capitals(" ".join(self.template_words.sub(" ", text).split()))
        return text

    def _fold(self, text: str, state: FoldingState) -> FoldedText:
        """Undo the disguises of a text and of its sentences."""
        return self.folding.fold(self.template_words.sub(" ", text), state)

    def _join_turns(self, turns: Sequence[Turn], folded: Mapping[str, FoldedText], state: FoldingState) -> list[str]:
        """List plain and folded texts of adjacent turns, because a request may be split across turns.

        The client writes the turns of both roles, and the language model reads them in order. They are judged as one
        text and in shorter windows, so that small talk cannot hide a request.

        Args:
            turns: the conversation.
            folded: folded variants of each text; empty if disguises are not searched for.
            state: bounds the work of folding.
        """
        if len(turns) < 2:
            return []
        windows = list_turn_windows(turns, MAX_WINDOWS)
        searched: list[str] = []
        if folded:
            searched = list(dict.fromkeys(map(self._simplify, list_turn_windows(turns, MAX_FOLDED_WINDOWS))))
            unfolded = {text: found.whole[0] for text, found in folded.items() if found.whole}
            if unfolded:
                windows += list_turn_windows([_replace_texts(turn, unfolded) for turn in turns], MAX_WINDOWS)
        plain = dict.fromkeys(map(self._simplify, windows))
        return [*plain, *(variant for window in searched for variant in self.folding.fold(window, state).whole)]

    def _list_folded(self, folded_by_text: Mapping[str, FoldedText]) -> list[str]:
        """List folded variants of texts and of their sentences."""
        whole_texts: list[str] = []
        sentences: list[str] = []
        for text, folded in folded_by_text.items():
            whole_texts += [variant for variant in folded.whole if has_other_words(variant, self._simplify(text))]
            if self.views.sentences and self.views.fewest_sentences <= max(2, _count_sentences(text)):
                sentences += folded.sentences
        return [*whole_texts, *_group(sentences)]

    def _list_sentences(self, texts: Sequence[str]) -> list[str]:
        """List the plain sentences of texts: across lines, and with each line end as a sentence end."""
        texts = [self.template_words.sub(" ", text) for text in texts]
        across = [split_sentences(text) for text in texts]
        within = [[piece for line in text.splitlines() for piece in split_sentences(line)] for text in texts]
        return list(dict.fromkeys([*self._separate(across), *(self._separate(within) if within != across else [])]))

    def _separate(self, split: Sequence[Sequence[str]]) -> list[str]:
        """Return the plain pieces of texts with enough of them, joined to at most ``MAX_SENTENCES`` groups."""
        several = (pieces for pieces in split if len(pieces) >= self.views.fewest_sentences)
        plain = (self._simplify(piece) for pieces in several for piece in pieces)
        # A single word is not a request; it belongs to a list, or to a text with one word per line. Some scripts have
        # no spaces.
        return _group([piece for piece in plain if " " in piece or not piece.isascii()])

    def _list_hidden(self, texts: Sequence[str], state: FoldingState) -> list[str]:
        """List texts with decoded hidden characters: plain, folded, and by sentence; usually there are none."""
        revealed = [variant for text in texts for variant in reveal_hidden(text)]
        hidden_words = " ".join(hidden[-1] for text in texts if (hidden := reveal_hidden(text)))
        revealed += [hidden_words] if len(texts) > 1 and hidden_words else []
        folded = {text: self._fold(text, state) for text in revealed}
        return [*map(self._simplify, revealed), *self._list_folded(folded), *self._list_sentences(revealed)]


def _count_sentences(text: str) -> int:
    """Count the sentences of a text, or those within its lines, if these are more."""
    return max(len(split_sentences(text)), sum(len(split_sentences(line)) for line in text.splitlines()))


def _replace_texts(turn: Turn, replacements: Mapping[str, str]) -> Turn:
    """Replace some texts of a turn."""
    return replace(
        turn,
        text=replacements.get(turn.text, turn.text),
        parts=tuple(replacements.get(part, part) for part in turn.parts),
    )


def _group(pieces: Sequence[str]) -> list[str]:
    """Return distinct pieces; more than ``MAX_SENTENCES`` are joined to that many groups of adjacent pieces."""
    distinct = list(dict.fromkeys(pieces))
    size = -(-len(distinct) // MAX_SENTENCES)
    return [" ".join(distinct[start : start + size]) for start in range(0, len(distinct), max(1, size))]


def _trim_once(text: str) -> str:
    """Remove a single line break or space around a text; more white space stays and is judged as noise."""
    trimmed = text.strip()
    return trimmed if len(text) - len(trimmed) <= 1 else text
