"""Encodes conversations as token ids in LLaVA-1.5's prompt format, and texts for the safety head.

``USER: <image>\\n{text} ASSISTANT: {answer}</s>USER: {text} ASSISTANT:``

A user's words are tokenised separately from the template, with special tokens split and role markers removed, so that
no text can add an image, end a turn or write a reply in the assistant's name. Knows no torch and no model.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from safety_core.inputs.conversation import (
    DEFAULT_MAX_PROMPT_TOKENS,
    Turn,
    check_characters,
    check_turn_order,
    count_images_by_turn,
    create_length_error,
)
from safety_core.inputs.head_texts import HeadTexts, TextViews
from safety_core.inputs.text.folding import FoldingState
from safety_core.inputs.text.folding_process import Folding, FoldingProcess, LocalFolding
from safety_core.inputs.text.invisible_characters import remove_tag_characters
from safety_core.inputs.text.lexicon import Lexicon, load_english

_ROLE_MARKER = re.compile(r"(?:USER|ASSISTANT|SYSTEM)[^\S\n]*[:\uff1a]")

_WORD_STARTS = ("\u2581", "\u0120")
"""Prefixes of tokens that start a word, in SentencePiece and in byte-level BPE."""

_WHOLE_WORD = 4
"""Minimum letters of a token that counts as a word; shorter tokens are often parts of words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPrompt:
    """Token ids of a conversation, one placeholder id for each image."""

    input_ids: list[int]
    """Ids of the whole prompt, and of the answer if there is one."""

    user_spans: list[tuple[int, int]]
    """[start, end) of each user turn's own words, template, images and hint excluded."""

    image_positions: list[int]
    """Positions of the image placeholders."""

    answer_span: tuple[int, int] | None = None
    """[start, end) of the answer and its end-of-sequence token; None if there is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFrame:
    """Ids around a user's words in a conversation of one question: no image and no system prompt."""

    start: tuple[int, ...]
    """Ids before the words."""

    end: tuple[int, ...]
    """Ids after the words, where the model would begin its reply."""


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
        """Id of unknown words; None if the vocabulary needs none."""

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
        """Ids → entries of the vocabulary."""


class PromptBuilder:
    """Encodes conversations for one tokenizer.

    Args:
        tokenizer: a Hugging Face tokenizer.
        image_token_id: id of the image placeholder.
        max_prompt_tokens: maximum tokens of a prompt, counted before images are expanded and without the answer. A
            prompt that :func:`check_characters` rejects is never tokenised.
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
        # SentencePiece puts a space before every text; byte-level BPE does not.
        probe = tokenizer.convert_ids_to_tokens(self._tokenize("x"))
        self._adds_space = bool(probe) and probe[0].startswith("\u2581")
        self._lexicon: Lexicon | None = None
        self.text_views = TextViews()
        """Which texts of a conversation the safety head judges; a checkpoint may limit them."""
        self.folding: Folding = self.local_folding
        """Undoes disguises, in the calling thread or in a separate process."""

    def encode(
        self, turns: Sequence[Turn], num_images: int, hint: str | None = None, answer: str | None = None
    ) -> EncodedPrompt:
        """Encode a conversation that ends with a user turn.

        Args:
            turns: user and assistant turns, alternating; the user's turn is first and last.
            num_images: number of placeholders, at the start of the turns that show them.
            hint: trusted text that follows the last user turn.
            answer: the assistant's reply in training, to which the end-of-sequence token is appended.

        Raises:
            PromptError: the turns do not alternate, or the prompt is longer than ``max_prompt_tokens``.
            ValueError: the turns show another number of images.
        """
        check_turn_order(turns)
        check_characters(turns, self.max_prompt_tokens)
        image_counts = count_images_by_turn(turns, num_images)
        ids: list[int] = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
        spans: list[tuple[int, int]] = []
        images: list[int] = []
        for index, turn in enumerate(turns):
            text = remove_tag_characters(turn.text)
            if turn.role == "assistant":
                ids += self._encode_reply(neutralise(text))
                continue
            here = image_counts[index]
            ids += self._tokenize("USER: " if here or not self._adds_space else "USER:")
            for _ in range(here):
                images.append(len(ids))
                ids += [self.image_token_id, *self._tokenize("\n")]
            start = len(ids)
            ids += self._encode_words(text, after="\n" if here else "")
            spans.append((start, len(ids)))
            if hint is not None and index == len(turns) - 1:
                ids += self._encode_template(f" {hint}")
            ids += self._encode_template(" ASSISTANT:")
        self._check_length(len(ids))
        if answer is None:
            return EncodedPrompt(input_ids=ids, user_spans=spans, image_positions=images)
        start = len(ids)
        ids += self._encode_reply(answer)
        return EncodedPrompt(input_ids=ids, user_spans=spans, image_positions=images, answer_span=(start, len(ids)))

    def encode_head_inputs(self, turns: Sequence[Turn], *, sentences: bool = True) -> list[list[int]]:
        """Encode all texts of a conversation for the safety head: the whole conversation, then turn by turn.

        The whole conversation comes first. If there are several turns, each turn and each part of a turn follows
        separately, including the assistant's, because the client writes all of them and harmless text must not hide a
        request. Each text is also judged in plain form, without spelled-out template words, unusual capitals, line
        breaks and repeated spaces. The user's words are also judged as one text, and adjacent turns are judged
        together, regardless of role. With ``sentences``, sentences and single lines are judged separately, at most
        ``MAX_SENTENCES`` of each, and so are the folded variants of disguised texts
        (:mod:`safety_core.inputs.text.folding`), as a whole and by sentence.

        Raises as :meth:`encode_user_words` does.
        """
        conversation_ids = self.encode_user_words(turns)
        texts = HeadTexts(self._template_words, self.folding, self.text_views).list_texts(turns, sentences=sentences)
        if len(texts) < 2:
            return [conversation_ids]
        separate_ids = dict.fromkeys(map(tuple, self.encode_texts(list(dict.fromkeys(texts)))))
        return [conversation_ids, *(list(ids) for ids in separate_ids if ids and list(ids) != conversation_ids)]

    @property
    def text_frame(self) -> TextFrame:
        """The ids around a user's words where the language model's first layers read them for the safety head."""
        bos = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
        start = [*bos, *self._tokenize("USER:" if self._adds_space else "USER: ")]
        return TextFrame(start=tuple(start), end=tuple(self._encode_template(" ASSISTANT:")))

    @property
    def lexicon(self) -> Lexicon:
        """The words that disguised texts are searched for: English words and whole words of the tokenizer."""
        if self._lexicon is None:
            self._lexicon = load_english().extend(self._list_whole_words())
        return self._lexicon

    @property
    def local_folding(self) -> LocalFolding:
        """Undoes disguises in the calling thread."""
        return LocalFolding(lambda: self.lexicon, self._template_words)

    def create_folding_process(self) -> FoldingProcess:
        """Create a process that undoes disguises; the caller closes it."""
        return FoldingProcess(self._list_whole_words(), self._template_words, self.local_folding)

    def _list_whole_words(self) -> list[str]:
        """List the whole words of the tokenizer's vocabulary."""
        vocabulary = self.tokenizer.convert_ids_to_tokens(range(len(self.tokenizer)))
        words = (token[1:] for token in vocabulary if token[:1] in _WORD_STARTS)
        return [word for word in words if len(word) >= _WHOLE_WORD and _is_word(word)]

    def encode_user_words(self, turns: Sequence[Turn]) -> list[int]:
        """Encode only the words of the user's turns, with a line break between turns: the input of the safety head.

        Raises:
            PromptError: more ids than ``max_prompt_tokens``, or more characters than :func:`check_characters` accepts.
        """
        check_characters(turns, self.max_prompt_tokens)
        words = [self._encode_words(turn.text) for turn in turns if turn.role == "user"]
        line_break = self._tokenize("\n")
        ids = [token for index, part in enumerate(words) for token in ((line_break if index else []) + part)]
        self._check_length(len(ids))
        return ids

    def encode_texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Encode several texts, each as a single user turn, in one call. Raises as :meth:`encode_user_words`."""
        for text in texts:
            check_characters([Turn(role="user", text=text)], self.max_prompt_tokens)
        encoded = self._tokenize_batch([neutralise(text) for text in texts])
        for ids in encoded:
            self._check_length(len(ids))
        return encoded

    def undisguise(self, text: str) -> list[str]:
        """List a text without its disguises (:mod:`safety_core.inputs.text.folding`); empty if it has none."""
        return list(self.folding.fold(self.remove_template_words(text), FoldingState()).whole)

    def split_into_tokens(self, text: str) -> list[str]:
        """Split a text into the pieces that generation would produce, one per token; some are empty."""
        encodable = text.encode("utf-8", "replace").decode("utf-8")
        encoded = self.tokenizer(
            encodable, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        spans = [(start, end) for start, end in encoded["offset_mapping"] if end > start]
        pieces, covered = [], 0
        for index, (_, end) in enumerate(spans):
            is_complete = index + 1 == len(spans) or spans[index + 1][0] >= end
            pieces.append(encodable[covered:end] if is_complete else "")
            covered = end if is_complete else covered
        if covered < len(encodable):
            pieces.append(encodable[covered:])
        return pieces

    def remove_template_words(self, text: str) -> str:
        """Replace spelled-out special tokens and role markers in a text by spaces."""
        return self._template_words.sub(" ", text)

    def _encode_words(self, text: str, *, after: str = "") -> list[int]:
        """Encode a user's words as they are tokenised after the text ``after``, without the ids of that text."""
        words, lead = neutralise(text), self._tokenize(after)
        joint = self._tokenize(after + words)
        return joint[len(lead) :] if joint[: len(lead)] == lead else self._tokenize(words)

    def _encode_reply(self, text: str) -> list[int]:
        eos = self.tokenizer.eos_token_id
        return self._encode_template(f" {text}") + ([] if eos is None else [eos])

    def _encode_template(self, text: str) -> list[int]:
        return self._tokenize(text.removeprefix(" ") if self._adds_space else text)

    def _tokenize(self, text: str) -> list[int]:
        """Tokenise plain words; ids that the tokenizer reserves are dropped."""
        return self._tokenize_batch([text])[0] if text else []

    def _tokenize_batch(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        batch = self.tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [[token for token in ids if token not in self._reserved] for ids in batch]

    def _check_length(self, length: int) -> None:
        if length > self.max_prompt_tokens:
            raise create_length_error(length, self.max_prompt_tokens)


def neutralise(text: str) -> str:
    """Remove role markers from untrusted text, and lone surrogates, which no tokenizer can encode.

    Each marker is replaced by a comma; otherwise the text around a marker could form another marker.
    """
    encodable = text.encode("utf-8", "replace").decode("utf-8")
    return _ROLE_MARKER.sub(",", encodable)


def _is_word(text: str) -> bool:
    return text.isascii() and text.isalpha() and text.islower()
