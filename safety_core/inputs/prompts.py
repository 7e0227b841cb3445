"""Untrusted text to token ids, in LLaVA-1.5's prompt format.

``USER: <image>\\n{text} ASSISTANT: {answer}</s>USER: {text} ASSISTANT:``

A user's words are tokenised apart from the template, with special tokens split and role markers removed, so that no
text can add an image, end a turn or speak for the assistant. Knows no torch and no model.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, starmap
from typing import Any, Literal, Protocol

from safety_core.errors import PromptError
from safety_core.inputs.text.folding_process import Folding, FoldingProcess, LocalFolding
from safety_core.inputs.text.lexicon import Lexicon, english
from safety_core.inputs.text.text_variants import (
    Folded,
    FoldingState,
    in_small_letters,
    normalise,
    reads_differently,
    revealed,
)

DEFAULT_MAX_PROMPT_TOKENS = 2048

MAX_CHARACTERS_PER_TOKEN = 16
"""A text of more characters than this for each token allowed is refused by its length alone. SentencePiece's longest
entries have 16, plain text has about four a token: what is refused could hardly have fitted, and costs nothing."""

MAX_PROMPT_CHARACTERS = MAX_CHARACTERS_PER_TOKEN * DEFAULT_MAX_PROMPT_TOKENS
"""Longest conversation in characters that is read at all, whatever a builder's limit in tokens."""

_ROLE_MARKER = re.compile(r"(?:USER|ASSISTANT|SYSTEM)[^\S\n]*[:\uff1a]")
_CLOSED = r"(?:[^\w\s]|\[\d{1,3}\]){0,16}"
_SENTENCE_END = re.compile(
    rf"([.\u2026\u061f\u06d4\u0964]{_CLOSED}(?= )|[a-z]\.(?=[A-Z])|[!?\u3002\uff01\uff1f]{_CLOSED}) ?"
)
"""The end of a sentence with the quotation marks, brackets, pictures and footnotes that close it. A full stop needs a
space behind it, since it stands in numbers and addresses too. Bounded: a row of dots must not take its square."""

MAX_SENTENCES = 128
"""Sentences of a conversation that are judged alone, and as many of single lines; of more, neighbours are judged
together, in so many groups."""

MAX_WINDOWS = 256
"""Rows of neighbouring turns that are judged as one text: half as many of all turns, as many of all but fillers, and a
quarter each of the user's alone and of the assistant's alone. Of a conversation of 32 messages, every row of up to five
turns is among them."""

MAX_FOLDED_WINDOWS = 64
"""Of these, rows that are searched for disguises as a whole; in the others each turn is searched separately."""

MAX_WINDOW = 8
"""Turns in such a row."""

MAX_WINDOW_CHARACTERS = 96
"""Characters of such a row, as in a request cut into turns. Longer rows are chats, which are judged as a whole."""

_MAX_LOOSE_CHARACTERS = 256
"""Characters up to which all turns are read as one text if any of them may continue in the next. In a longer text,
which is rarely a request in pieces, a capital letter starts a sentence."""

_NEARBY = 48
"""Characters at the end or the beginning of a longer turn that are read with its neighbours."""

_SENTENCE_WORDS = 3
"""Least words of a whole sentence, in a text with a full stop."""

_SENTENCE_MARKS = (".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f")
_UNFINISHED = frozenset(
    {
        *(
            "a",
            "an",
            "and",
            "any",
            "as",
            "at",
            "by",
            "can",
            "do",
            "does",
            "for",
            "from",
            "her",
            "his",
            "how",
            "i",
            "if",
        ),
        *("in", "into", "is", "my", "of", "on", "or", "our", "should", "some", "than", "that", "the", "their", "this"),
        *("to", "what", "when", "where", "which", "who", "why", "with", "would", "your"),
    }
)
"""Words that rarely end a sentence."""

_OPENING = re.compile(
    r"(?:(?:please|hey|hello|hi|now|so|ok|okay|thanks|and|then|also)[\s,]+)*"
    r"(?:what|why|how|who|where|when|which|explain|describe|teach|tell|help|show|say|write|give|list|i believe|i think"
    r"|(?:is|are|was|were|can|could|would|will|should|do|does|did) (?:it|you|i|we|they|there))\b",
    re.IGNORECASE,
)
"""Beginnings of a new question or request."""

_OPENED_WORDS = 4
"""Least words of a whole question with such a beginning, and of a whole sentence before it."""

_FILLER = re.compile(r"\s*\w+(?:\s+\w+)?\s*[.!?\u2026,]+\s*")
"""A turn that only continues a conversation: a word or two with punctuation."""

_COURTESY = re.compile(
    r"\s*(?:(?:hey|hi|hello)[\s,]+)?(?:thanks|thank you|hello|hi|hey|good (?:morning|evening|day|night|bye)|goodbye|bye"
    r"|see you|you are welcome)(?: very much| so much| a lot| again| to you| there| later| soon| tomorrow"
    r"| in the morning| for (?:me|that|this)){0,2}(?:[\s,]+(?:please|thanks))?\s*[.!?\u2026]*\s*",
    re.IGNORECASE,
)
"""A greeting or thanks, and nothing else: it belongs to no sentence that stands in other turns."""

_END_MARKS = ".,;:!?-\u2026\u2013\u2014 "

_WORD_STARTS = ("\u2581", "\u0120")
"""Prefixes of tokens that start a word, in SentencePiece and in byte-level BPE."""

_WHOLE_WORD = 4
"""Least letters of such a token to count as a word; shorter ones are often parts of words."""

_TAGS = re.compile("[\U000e0000-\U000e0fff]")
"""Letters that nobody sees and a language model may have learned to read: the head judges them, it never gets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    """Who speaks; there is no system role, so no client can rewrite the guard's instructions."""

    text: str
    """What is said, untrusted."""

    images: int = 0
    """Pictures that are shown with it; where no turn names any, all of them belong to the first."""

    parts: tuple[str, ...] = ()
    """The texts that it was put together from, where they were several; judged one by one too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPrompt:
    """Token ids of a conversation, one placeholder id for each image."""

    input_ids: list[int]
    """The whole prompt, and the answer where one was given."""

    user_spans: list[tuple[int, int]]
    """[start, end) of each user turn's own words, template, images and hint excluded."""

    image_positions: list[int]
    """Where the image placeholders stand."""

    answer_span: tuple[int, int] | None = None
    """[start, end) of the answer and its end-of-sequence token; None when there is no answer."""


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that prompts need."""

    @property
    def bos_token_id(self) -> int | None:
        """Start-of-sequence id."""

    @property
    def eos_token_id(self) -> int | None:
        """End-of-sequence id."""

    @property
    def unk_token_id(self) -> int | None:
        """Id of unknown words, where the vocabulary needs one."""

    @property
    def all_special_ids(self) -> list[int]:
        """Every id that is not text."""

    def __len__(self) -> int:
        """Size of the vocabulary."""

    @property
    def __call__(self) -> Callable[..., Any]:
        """``(text, add_special_tokens=, split_special_tokens=)`` → a mapping with ``input_ids``."""

    @property
    def convert_ids_to_tokens(self) -> Callable[..., Any]:
        """The vocabulary entries behind ids."""


class PromptBuilder:
    """Encodes conversations for one tokenizer.

    Args:
        tokenizer: a Hugging Face tokenizer.
        image_token_id: id of the image placeholder.
        max_prompt_tokens: longest prompt accepted, counted before images are expanded; the answer does not count. What
            :func:`check_characters` refuses is never tokenised.
    """

    def __init__(
        self, tokenizer: Tokenizer, image_token_id: int, max_prompt_tokens: int = DEFAULT_MAX_PROMPT_TOKENS
    ) -> None:
        self.tokenizer = tokenizer
        self.image_token_id = image_token_id
        self.max_prompt_tokens = max_prompt_tokens
        self._reserved = {image_token_id, *tokenizer.all_special_ids} - {tokenizer.unk_token_id}
        names = map(re.escape, tokenizer.convert_ids_to_tokens(sorted(self._reserved)))
        self._template_words = re.compile("|".join((*names, _ROLE_MARKER.pattern)))
        # SentencePiece puts a space in front of whatever it is given; byte-level BPE needs ours.
        probe = tokenizer.convert_ids_to_tokens(self._ids("x"))
        self._adds_space = bool(probe) and probe[0].startswith("\u2581")
        self._lexicon: Lexicon | None = None
        self.folding: Folding = self.local_folding
        """Where disguises are undone."""

    def encode(
        self, turns: Sequence[Turn], num_images: int, hint: str | None = None, answer: str | None = None
    ) -> EncodedPrompt:
        """Ids of a conversation that ends with a user turn.

        Args:
            turns: user and assistant turns alternating, first and last by the user.
            num_images: placeholders to set, at the start of the turns that show them.
            hint: trusted text that follows the last user turn.
            answer: the assistant's reply to learn, closed by the end-of-sequence token.

        Raises:
            PromptError: the turns do not alternate, or the prompt is longer than ``max_prompt_tokens``.
            ValueError: the turns show another number of pictures.
        """
        _check_turns(turns)
        check_characters(turns, self.max_prompt_tokens)
        shown = _pictures_of_turns(turns, num_images)
        ids: list[int] = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
        spans: list[tuple[int, int]] = []
        images: list[int] = []
        for index, turn in enumerate(turns):
            text = _TAGS.sub("", turn.text)
            if turn.role == "assistant":
                ids += self._reply(neutralise(text))
                continue
            pictures = shown[index]
            ids += self._ids("USER: " if pictures or not self._adds_space else "USER:")
            for _ in range(pictures):
                images.append(len(ids))
                ids += [self.image_token_id, *self._ids("\n")]
            start = len(ids)
            ids += self._words(text, after="\n" if pictures else "")
            spans.append((start, len(ids)))
            if hint is not None and index == len(turns) - 1:
                ids += self._template(f" {hint}")
            ids += self._template(" ASSISTANT:")
        self._check_length(len(ids))
        if answer is None:
            return EncodedPrompt(input_ids=ids, user_spans=spans, image_positions=images)
        start = len(ids)
        ids += self._reply(answer)
        return EncodedPrompt(input_ids=ids, user_spans=spans, image_positions=images, answer_span=(start, len(ids)))

    def spoken(self, turns: Sequence[Turn], *, sentences: bool = True) -> list[list[int]]:
        """All texts of a conversation for the safety head: the whole conversation, then turn by turn.

        The whole conversation comes first. In a conversation of several turns, each turn and each part of a turn
        follows alone, the assistant's too: the client writes all of them, and harmless text around a request must not
        hide it. Each text is also read plainly, without spelled-out template words, unusual capitals, line breaks and
        runs of spaces. The user's words are also read as one text, and neighbouring turns together, whoever wrote them.
        With ``sentences``, sentences and single lines are read alone, at most ``MAX_SENTENCES`` of each, and so are the
        folded variants of disguised texts (:mod:`safety_core.inputs.text.text_variants`), as a whole and by sentence.

        Raises as :meth:`head_ids` does.
        """
        whole = self.head_ids(turns)
        said = [text for turn in turns for text in (turn.text, *turn.parts)]
        asked = [turn.text for turn in turns if turn.role == "user"]
        texts = [*said, *(plain for text in said if (plain := self._plainly(text)) != _trimmed(text))]
        texts += [self._plainly(" ".join(asked))] if len(asked) > 1 and not asks_whole_questions(turns) else []
        folding = FoldingState()
        folded = {text: self._fold(text, folding) for text in dict.fromkeys(said)} if sentences else {}
        texts += self._across_turns(turns, folded, folding)
        texts += [*self._folded(folded), *self._sentences(said)] if sentences else []
        texts += self._revealed(said, folding)
        if len(texts) < 2:
            return [whole]
        alone = dict.fromkeys(map(tuple, self.head_ids_of(list(dict.fromkeys(texts)))))
        return [whole, *(list(ids) for ids in alone if ids and list(ids) != whole)]

    def _revealed(self, texts: Sequence[str], state: FoldingState) -> list[str]:
        """Variants of texts with hidden characters decoded, plain, folded, and by sentence; usually none."""
        shown = [one for text in texts for one in revealed(text)]
        together = " ".join(hidden[-1] for text in texts if (hidden := revealed(text)))
        shown += [together] if len(texts) > 1 and together else []
        folded = {text: self._fold(text, state) for text in shown}
        return [*map(self._plainly, shown), *self._folded(folded), *self._sentences(shown)]

    @property
    def lexicon(self) -> Lexicon:
        """The words that disguised texts are searched for: English ones, and whole words of the tokenizer."""
        if self._lexicon is None:
            self._lexicon = english().with_words(self._whole_words())
        return self._lexicon

    @property
    def local_folding(self) -> LocalFolding:
        """Undoes disguises in the calling thread."""
        return LocalFolding(lambda: self.lexicon, self._template_words)

    def folding_process(self) -> FoldingProcess:
        """Undoes disguises in a process of its own; to be closed by the caller."""
        return FoldingProcess(self._whole_words(), self._template_words, self.local_folding)

    def _whole_words(self) -> list[str]:
        """Whole words of the tokenizer's vocabulary."""
        vocabulary = self.tokenizer.convert_ids_to_tokens(range(len(self.tokenizer)))
        whole = (token[1:] for token in vocabulary if token[:1] in _WORD_STARTS)
        return [word for word in whole if len(word) >= _WHOLE_WORD and _is_word(word)]

    def head_ids(self, turns: Sequence[Turn]) -> list[int]:
        """Ids of the user turns' words alone, a line break between turns: what the safety head reads.

        Raises:
            PromptError: more ids than ``max_prompt_tokens``, or more characters in all turns than can make so few.
        """
        check_characters(turns, self.max_prompt_tokens)
        words = [self._words(turn.text) for turn in turns if turn.role == "user"]
        line_break = self._ids("\n")
        ids = [token for index, part in enumerate(words) for token in ((line_break if index else []) + part)]
        self._check_length(len(ids))
        return ids

    def head_ids_of(self, texts: Sequence[str]) -> list[list[int]]:
        """:meth:`head_ids` of several texts by themselves, tokenised in one call. Raises as it does."""
        for text in texts:
            check_characters([Turn(role="user", text=text)], self.max_prompt_tokens)
        found = self._batch([neutralise(text) for text in texts])
        for ids in found:
            self._check_length(len(ids))
        return found

    def pieces_of(self, text: str) -> list[str]:
        """A text token by token, as if it were generated; tokens within a character are empty."""
        encodable = text.encode("utf-8", "replace").decode("utf-8")
        encoded = self.tokenizer(
            encodable, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        spans = [(start, end) for start, end in encoded["offset_mapping"] if end > start]
        pieces, said = [], 0
        for index, (_, end) in enumerate(spans):
            whole = index + 1 == len(spans) or spans[index + 1][0] >= end
            pieces.append(encodable[said:end] if whole else "")
            said = end if whole else said
        if said < len(encodable):
            pieces.append(encodable[said:])
        return pieces

    def without_template(self, text: str) -> str:
        """A text with spaces in place of spelled-out special tokens and role markers."""
        return self._template_words.sub(" ", text)

    def _plainly(self, text: str) -> str:
        """A text on one line, in small letters, and without what it spells of special tokens and role markers."""
        for _ in range(2):  # capitals may hide one of those
            text = in_small_letters(" ".join(self._template_words.sub(" ", text).split()))
        return text

    def _sentences(self, texts: Sequence[str]) -> list[str]:
        """The sentences of texts, plainly: where they go on over lines, and where they end with a line."""
        texts = [self._template_words.sub(" ", text) for text in texts]
        across = [_sentences_of(text) for text in texts]
        within = [[piece for line in text.splitlines() for piece in _sentences_of(line)] for text in texts]
        return list(dict.fromkeys([*self._alone(across), *(self._alone(within) if within != across else [])]))

    def _fold(self, text: str, state: FoldingState) -> Folded:
        """Folded variants of a text and of its sentences."""
        return self.folding.fold(self._template_words.sub(" ", text), state)

    def _folded(self, found: Mapping[str, Folded]) -> list[str]:
        """Folded variants of texts and of their sentences."""
        whole: list[str] = []
        sentences: list[str] = []
        for text, folded in found.items():
            whole += [variant for variant in folded.whole if reads_differently(variant, self._plainly(text))]
            sentences += folded.sentences
        return [*whole, *_grouped(sentences)]

    def _alone(self, split: Sequence[Sequence[str]]) -> list[str]:
        """Pieces of texts that have several, plainly; more than ``MAX_SENTENCES`` in as many groups."""
        plain = (self._plainly(piece) for pieces in split if len(pieces) > 1 for piece in pieces)
        # One word asks for nothing: it stands in a list, or in a text of a word a line. Some scripts know no spaces.
        return _grouped([piece for piece in plain if " " in piece or not piece.isascii()])

    def _across_turns(self, turns: Sequence[Turn], folded: Mapping[str, Folded], state: FoldingState) -> list[str]:
        """Plain and folded texts of neighbouring turns together: a request may begin in one and end in another.

        The language model reads the turns of both sides in a row, and a client writes both. All of them are judged as
        one text, and in shorter rows, so that small talk around a request does not hide it.

        Args:
            turns: the conversation.
            folded: folded variants of each text; empty if disguises are not searched for.
            state: bounds the work of folding.
        """
        if len(turns) < 2:
            return []
        rows = _rows_of(turns, MAX_WINDOWS)
        searched: list[str] = []
        if folded:
            searched = list(dict.fromkeys(map(self._plainly, _rows_of(turns, MAX_FOLDED_WINDOWS))))
            unfolded = {text: found.whole[0] for text, found in folded.items() if found.whole}
            rows += _rows_of([_reworded(turn, unfolded) for turn in turns], MAX_WINDOWS) if unfolded else []
        plain = dict.fromkeys(map(self._plainly, rows))
        return [*plain, *(variant for row in searched for variant in self.folding.fold(row, state).whole)]

    def _words(self, text: str, *, after: str = "") -> list[int]:
        """A user's words as they tokenise behind ``after``, which stays out of them."""
        words, lead = neutralise(text), self._ids(after)
        joint = self._ids(after + words)
        return joint[len(lead) :] if joint[: len(lead)] == lead else self._ids(words)

    def _reply(self, text: str) -> list[int]:
        eos = self.tokenizer.eos_token_id
        return self._template(f" {text}") + ([] if eos is None else [eos])

    def _template(self, text: str) -> list[int]:
        return self._ids(text.removeprefix(" ") if self._adds_space else text)

    def _ids(self, text: str) -> list[int]:
        """Plain words only: an id that a tokenizer reserves is dropped, however the text came by it."""
        return self._batch([text])[0] if text else []

    def _batch(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        batch = self.tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [[token for token in ids if token not in self._reserved] for ids in batch]

    def _check_length(self, length: int) -> None:
        if length > self.max_prompt_tokens:
            raise too_long(length, self.max_prompt_tokens)


def _sentences_of(text: str) -> list[str]:
    """The sentences of a text, its line breaks taken for spaces."""
    return _SENTENCE_END.sub("\\1\n", " ".join(text.split())).splitlines()


def _reworded(turn: Turn, words: Mapping[str, str]) -> Turn:
    """A turn with other words in place of some of its texts."""
    return replace(
        turn, text=words.get(turn.text, turn.text), parts=tuple(words.get(part, part) for part in turn.parts)
    )


def _rows_of(turns: Sequence[Turn], limit: int) -> list[str]:
    """All turns as one text, if any continues in the next, and about ``limit`` shorter rows of neighbours."""
    everything = [text for turn in turns for text in (turn.parts or (turn.text,))]
    asked = [text for turn in turns if turn.role == "user" for text in (turn.parts or (turn.text,))]
    answered = [turn.text for turn in turns[:-1] if turn.role == "assistant"]
    rows = [whole] if _is_one_text(everything, whole := " ".join(everything)) else []
    rows += [*_windows(everything, limit // 2), *_windows(asked, limit // 4)]
    rows += _windows([*answered, turns[-1].text], limit // 4)
    return [*rows, *_windows([text for text in everything if not _is_filler(text)], limit // 2)]


def _is_one_text(texts: Sequence[str], whole: str) -> bool:
    """Whether all turns may be one text that was cut: one continues in the next; in a long text, not with a capital."""
    said = [text for text in texts if text.strip()]
    loose = len(whole) <= _MAX_LOOSE_CHARACTERS
    return any(
        _runs_on(text, following) and (loose or _is_unfinished(text) or not following.lstrip()[:1].isupper())
        for text, following in pairwise(said)
    )


def _windows(texts: Sequence[str], limit: int) -> list[str]:
    """Joined rows of neighbouring texts, up to a limit: short rows before long ones, late ones before early ones.

    A row begins with the end of its first text and ends with the beginning of its last one; a long text ends a row.
    """
    said = [text for text in (" ".join(text.split()) for text in texts) if text]
    runs_on = list(starmap(_runs_on, pairwise(said)))
    rows: dict[str, None] = {}
    for size in range(2, min(len(said), MAX_WINDOW) + 1):
        for start in range(len(said) - size, -1, -1):
            if not any(runs_on[start : start + size - 1]):
                continue
            first, *middle, last = said[start : start + size]
            row = " ".join((*map(_without_end, (_tail(first), *middle)), _head(last)))
            if len(row) <= MAX_WINDOW_CHARACTERS:
                rows[row] = None
            if len(rows) >= limit:
                return list(rows)
    return list(rows)


def _runs_on(text: str, following: str) -> bool:
    """Whether a text may continue in the following one.

    This is the case if it ends in the middle of a sentence, if both are very short, and if nothing separates them:
    neither punctuation, nor a question or request of several words that follows as many words.
    """
    words = text.split()
    if _is_unfinished(text):
        return True
    if _COURTESY.fullmatch(text) or _COURTESY.fullmatch(following):
        return False
    if max(len(words), len(following.split())) < _SENTENCE_WORDS:
        return True
    if text.rstrip("\"')")[-1:] in _SENTENCE_MARKS:
        return False
    return len(words) < _OPENED_WORDS or not _opens(following)


def _is_unfinished(text: str) -> bool:
    """Whether a text ends with a word that rarely ends a sentence."""
    return text.split()[-1].strip(_END_MARKS).lower() in _UNFINISHED


def asks_whole_questions(turns: Sequence[Turn]) -> bool:
    """Whether the user speaks several times, and each time asks one whole question or request, or greets or thanks.

    What such turns say together is nothing that anybody said; each of them is judged alone.
    """
    asked = [text for turn in turns if turn.role == "user" for text in (turn.parts or (turn.text,))]
    return len(asked) > 1 and all(map(_is_complete, asked))


def _is_filler(text: str) -> bool:
    """Whether a text only keeps a conversation going."""
    return bool(_FILLER.fullmatch(text) or _COURTESY.fullmatch(text))


def _is_complete(text: str) -> bool:
    """Whether a text is a whole question or request, a greeting, or empty: no piece of what other turns say."""
    return not text.strip() or bool(_COURTESY.fullmatch(text)) or (_opens(text) and not _is_unfinished(text))


def _opens(text: str) -> bool:
    """Whether a text is one question or request with such a beginning."""
    sentence = " ".join(text.split())
    found = _OPENING.match(sentence)
    if found is None or len(sentence[found.start() :].split()) < _OPENED_WORDS:
        return False
    return len(_sentences_of(sentence)) == 1


def _tail(text: str) -> str:
    """The end of a text, from the beginning of a word."""
    return text if len(text) <= _NEARBY else text[-_NEARBY:].partition(" ")[2]


def _head(text: str) -> str:
    """The beginning of a text, to the end of a word."""
    return text if len(text) <= _NEARBY else text[:_NEARBY].rpartition(" ")[0]


def _without_end(text: str) -> str:
    """A text without its final punctuation, which would separate it from its continuation."""
    return text.rstrip(_END_MARKS) or text


def _grouped(pieces: Sequence[str]) -> list[str]:
    """Distinct pieces, each alone; if there are more than ``MAX_SENTENCES``, in that many groups of neighbours."""
    found = list(dict.fromkeys(pieces))
    size = -(-len(found) // MAX_SENTENCES)
    return [" ".join(found[start : start + size]) for start in range(0, len(found), max(1, size))]


def _is_word(text: str) -> bool:
    return text.isascii() and text.isalpha() and text.islower()


def _trimmed(text: str) -> str:
    """A text without the one line break or space around it that nobody means; more of them are noise as well."""
    trimmed = text.strip()
    return trimmed if len(text) - len(trimmed) <= 1 else text


def max_characters(max_prompt_tokens: int) -> int:
    """Characters that a conversation of so many tokens may have, all turns together."""
    return min(MAX_CHARACTERS_PER_TOKEN * max_prompt_tokens, MAX_PROMPT_CHARACTERS)


def check_characters(turns: Sequence[Turn], max_prompt_tokens: int) -> None:
    """Refuse by its length what no normalising and no tokenising should be spent on.

    Raises:
        PromptError: ``prompt_too_long``, more than :func:`max_characters`.
    """
    length, limit = _characters(turns), max_characters(max_prompt_tokens)
    if length > limit:
        raise too_long(length, limit, "characters")


def neutralise(text: str) -> str:
    """Take role markers out of untrusted text, and lone surrogates, which no tokenizer can encode.

    A comma stays behind: with nothing in its place, what stood around a marker could close up to another one.
    """
    encodable = text.encode("utf-8", "replace").decode("utf-8")
    return _ROLE_MARKER.sub(",", encodable)


def readings(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], ...]:
    """The text as a reader sees it and as it came, where these differ; both must be judged, the worse one counts.

    A conversation beyond ``MAX_PROMPT_CHARACTERS`` comes back as it is: no builder takes it, so nobody judges it.
    """
    raw = tuple(turns)
    if _characters(raw) > MAX_PROMPT_CHARACTERS:
        return (raw,)
    normalised = tuple(
        replace(turn, text=normalise(turn.text), parts=tuple(map(normalise, turn.parts))) for turn in raw
    )
    return (raw,) if normalised == raw else (normalised, raw)


def _characters(turns: Sequence[Turn]) -> int:
    return sum(len(turn.text) for turn in turns)


def too_long(length: int, limit: int, unit: str = "tokens") -> PromptError:
    """The error for a conversation of more tokens (or characters) than are accepted."""
    return PromptError(
        f"The prompt has {length} {unit}, at most {limit} are accepted.", code="prompt_too_long", param="prompt"
    )


def _pictures_of_turns(turns: Sequence[Turn], num_images: int) -> list[int]:
    shown = [turn.images for turn in turns]
    if not any(shown):
        return [num_images, *shown[1:]]
    if sum(shown) != num_images or any(count for turn, count in zip(turns, shown, strict=True) if turn.role != "user"):
        raise ValueError(f"user turns must show the {num_images} pictures, the turns show {shown}")
    return shown


def _check_turns(turns: Sequence[Turn]) -> None:
    roles = [turn.role for turn in turns]
    if roles != ["user" if index % 2 == 0 else "assistant" for index in range(len(roles))] or len(roles) % 2 == 0:
        raise PromptError(
            "turns must alternate between user and assistant, first and last by the user",
            code="turn_order",
            param="messages",
        )
