"""Encodes conversations in the format that a language model was trained on, if that is not LLaVA-1.5's.

A tokenizer's chat template is a program. It is run once, on fixed words, when a checkpoint is created; the text that it
puts around these words is stored (:class:`PromptTemplate`). A user's words never pass through the program: they are
tokenised separately, with special tokens split and the template's markup removed. Knows no torch and no model.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

from safety_core.errors import ConfigError
from safety_core.inputs.conversation import Turn, check_characters, check_turn_order, count_images_by_turn
from safety_core.inputs.prompt_encoding import EncodedPrompt, PromptBuilder, TextFrame, Tokenizer, neutralise
from safety_core.inputs.text.invisible_characters import remove_tag_characters

_QUESTION, _REPLY, _MORE = "Qzero7", "Rone8", "Qtwo9"
"""Words that no template contains, used to locate them in its output."""


class ChatTokenizer(Tokenizer, Protocol):
    """The part of a Hugging Face tokenizer that templates use."""

    @property
    def apply_chat_template(self) -> Callable[..., Any]:
        """``(messages, chat_template=, tokenize=False, add_generation_prompt=)`` → text."""

    @property
    def get_added_vocab(self) -> Callable[..., dict[str, int]]:
        """Added words of the vocabulary, special or not, with their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTemplate:
    """The text around the words of a conversation, with special tokens as text."""

    start: str
    """Before the first question."""

    image: str
    """Before a question with images, once for each image."""

    generate: str
    """After the last question, where the model continues."""

    reply: str
    """Between a question and its reply, in a conversation that continues."""

    following: str
    """Between a reply and the next question."""

    end: str
    """After the last reply: the text by which the model ends it."""

    @classmethod
    def parse(cls, data: object) -> "PromptTemplate":
        """Parse the ``prompt`` object of ``safevlm.json``; raises ConfigError if it is malformed."""
        names = {field.name for field in fields(cls)}
        if not isinstance(data, Mapping) or set(data) != names or not all(isinstance(v, str) for v in data.values()):
            raise ConfigError(f"prompt: exactly the strings {sorted(names)} are needed")
        return cls(**data)

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form, which :meth:`parse` reads."""
        return asdict(self)

    def is_vicuna(self, bos: str) -> bool:
        """Whether this is LLaVA-1.5's own format, which :class:`PromptBuilder` writes."""
        return (self.start.removeprefix(bos).strip(), self.generate.strip()) == ("USER:", "ASSISTANT:")


def derive_template(tokenizer: ChatTokenizer, chat_template: str, image_token: str) -> PromptTemplate:
    """Run a chat template on fixed words, and extract the text around these words.

    Args:
        tokenizer: the tokenizer that the template belongs to.
        chat_template: the program, in Jinja.
        image_token: the image placeholder in the vocabulary.

    Raises:
        ConfigError: the template fails, omits or changes words, or depends on them.
    """
    with_parts = _Renderer(tokenizer, chat_template, parts=True)
    with_text = _Renderer(tokenizer, chat_template, parts=False)
    for render in (with_parts, with_text):
        try:
            segments = _find_segments(render, image_token)
        except Exception:  # an untrusted program may raise anything
            continue
        if segments is not None:
            return segments
    raise ConfigError("the tokenizer's chat template is not supported: it does more than put text around each turn")


@dataclass(frozen=True, slots=True)
class _Renderer:
    """A chat template as a function of alternating questions and replies."""

    tokenizer: ChatTokenizer
    chat_template: str
    parts: bool
    """Whether messages are lists of parts, as in a processor's templates, or plain texts."""

    def __call__(self, *texts: str, images: int = 0, go_on: bool = False) -> str:
        messages = []
        for index, text in enumerate(texts):
            shown = [{"type": "image"}] * (images if index == 0 else 0)
            content = [*shown, {"type": "text", "text": text}] if self.parts else text
            messages.append({"role": "assistant" if index % 2 else "user", "content": content})
        return str(
            self.tokenizer.apply_chat_template(
                messages, chat_template=self.chat_template, tokenize=False, add_generation_prompt=go_on
            )
        )


def _find_segments(render: _Renderer, image_token: str) -> PromptTemplate | None:
    """Find the texts around the words; None if they differ between conversations."""
    start, generate = _split_around(render(_QUESTION, go_on=True), _QUESTION)
    first, reply, following, last = _split_around(
        render(_QUESTION, _REPLY, _MORE, go_on=True), _QUESTION, _REPLY, _MORE
    )
    _, _, end = _split_around(render(_QUESTION, _REPLY), _QUESTION, _REPLY)
    if (first, last) != (start, generate) or "'type'" in start or not generate.strip():
        return None
    image = f"{image_token}\n"
    if render.parts:
        with_one_image, with_two_images = (
            _split_around(render(_QUESTION, images=count, go_on=True), _QUESTION)[0] for count in (1, 2)
        )
        image = with_one_image.removeprefix(start)
        if (
            not with_one_image.startswith(start)
            or with_two_images != start + 2 * image
            or image.count(image_token) != 1
        ):
            return None
    return PromptTemplate(start=start, image=image, generate=generate, reply=reply, following=following, end=end)


def _split_around(text: str, *words: str) -> list[str]:
    """Split a text around words, each of which must occur once and in this order."""
    match = re.fullmatch("(.*)".join(["", *map(re.escape, words), ""]), text, re.DOTALL)
    if match is None or any(text.count(word) != 1 for word in words):
        raise ValueError("the template changes the words of a turn")
    return list(match.groups())


class TemplatedPromptBuilder(PromptBuilder):
    """Encodes conversations in the format of a :class:`PromptTemplate`.

    Args:
        tokenizer: a Hugging Face tokenizer.
        image_token_id: id of the image placeholder.
        max_prompt_tokens: as for :class:`PromptBuilder`.
        template: the texts around the words.

    Raises:
        ConfigError: the template does not have exactly one image placeholder of this vocabulary.
    """

    def __init__(
        self, tokenizer: ChatTokenizer, image_token_id: int, max_prompt_tokens: int, template: PromptTemplate
    ) -> None:
        super().__init__(tokenizer, image_token_id, max_prompt_tokens)
        self.template = template
        self._markup = _find_markup(template, tokenizer)
        start = self._tokenize_trusted(template.start)
        bos = tokenizer.bos_token_id
        if bos is not None and start[:1] != [bos] and tokenizer("x")["input_ids"][:1] == [bos]:
            start = [bos, *start]
        self._start, self._image = start, self._tokenize_trusted(template.image)
        if self._image.count(image_token_id) != 1:
            raise ConfigError("prompt.image: exactly one image placeholder is needed")
        self._generate, self._between = (
            self._tokenize_trusted(template.generate),
            self._tokenize_trusted(template.reply),
        )
        self._following = self._tokenize_trusted(template.following)
        # The text before an earlier reply, which does not come from the generation prompt.
        continues = template.reply.startswith(template.generate)
        self._lead = self._tokenize_trusted(template.reply[len(template.generate) :]) if continues else []
        self._end = self._find_end_ids()
        # Markup that is a single vocabulary entry is removed from users' words, whether it is a special token or not.
        segments = (start, self._image, self._generate, self._between, self._following, self._end)
        self._reserved |= {*tokenizer.get_added_vocab().values()} & {token for ids in segments for token in ids}
        self._reserved -= {tokenizer.unk_token_id}

    @property
    def text_frame(self) -> TextFrame:
        """The ids around a later question, which has no system prompt; those around the first one if it differs."""
        later = self.template.following.removeprefix(self.template.end)
        start = self._tokenize_trusted(later) if later and later != self.template.following else self._start
        bos = self.tokenizer.bos_token_id
        if bos is not None and self._start[:1] == [bos] != start[:1]:
            start = [bos, *start]
        # The first special token ends the turn; its state sums up the turn, and what follows only costs time.
        special = {*self.tokenizer.all_special_ids} - {self.tokenizer.unk_token_id}
        end = next((index + 1 for index, token in enumerate(self._generate) if token in special), len(self._generate))
        return TextFrame(start=tuple(start), end=tuple(self._generate[:end]))

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Ids that end a reply."""
        return tuple(self._end[-1:])

    def encode(
        self, turns: Sequence[Turn], num_images: int, hint: str | None = None, answer: str | None = None
    ) -> EncodedPrompt:
        """Encode as :meth:`PromptBuilder.encode` does, in the template's format; raises the same errors."""
        check_turn_order(turns)
        check_characters(turns, self.max_prompt_tokens)
        image_counts = count_images_by_turn(turns, num_images)
        ids, spans, images = list(self._start), [], []
        for index, turn in enumerate(turns):
            text = remove_tag_characters(turn.text)
            if turn.role == "assistant":
                ids += [*self._tokenize(neutralise(text)), *self._following]
                continue
            for _ in range(image_counts[index]):
                images.append(len(ids) + self._image.index(self.image_token_id))
                ids += self._image
            start = len(ids)
            ids += self._encode_words(text)
            spans.append((start, len(ids)))
            last = index == len(turns) - 1
            if hint is not None and last:
                ids += self._encode_template(f" {hint}")
            ids += self._generate if last else self._between
        self._check_length(len(ids))
        if answer is None:
            return EncodedPrompt(input_ids=ids, user_spans=spans, image_positions=images)
        start = len(ids)
        ids += [*self._lead, *self._tokenize(answer), *self._end]
        return EncodedPrompt(input_ids=ids, user_spans=spans, image_positions=images, answer_span=(start, len(ids)))

    def _tokenize_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokenise words without the template's turn markup; each mark is replaced by a comma, as role markers are."""
        markup = getattr(self, "_markup", None)  # the base class tokenises a word before the attribute is set
        return super()._tokenize_batch([markup.sub(",", text) for text in texts] if markup is not None else texts)

    def _tokenize_trusted(self, text: str) -> list[int]:
        """Tokenise the template's own text, with special tokens."""
        if self._adds_space:
            text = text.strip(" ")
        if not text:
            return []
        ids: list[int] = self.tokenizer([text], add_special_tokens=False, split_special_tokens=False)["input_ids"][0]
        return ids

    def _find_end_ids(self) -> list[int]:
        """Find the end of a reply: the template's text up to its first special token, or the end-of-sequence token."""
        eos = self.tokenizer.eos_token_id
        special = {*self.tokenizer.all_special_ids} - {self.tokenizer.unk_token_id}
        ids = self._tokenize_trusted(self.template.end)
        for index, token in enumerate(ids):
            if token in special:
                return ids[: index + 1]
        return [] if eos is None else [eos]


def _find_markup(template: PromptTemplate, tokenizer: ChatTokenizer) -> re.Pattern[str] | None:
    """Find plain text by which a template marks turns, such as ``[/INST]`` or ``### Human:``; None if there is none.

    Words between special tokens (``user``) have no meaning without these tokens, and stay available to users.
    """
    added = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
    special = re.compile("|".join(map(re.escape, added))) if added else re.compile(r"(?!)")
    marks = set()
    for text in (template.generate, template.reply, template.following):
        for piece in special.sub("\n", text).splitlines():
            plain = piece.strip()
            if plain and not re.fullmatch(r"[\w ]+", plain) and any(map(str.isalnum, plain)):
                marks |= {plain, *(part for part in plain.split("  ") if part.strip())}
    names = sorted((re.escape(name).replace(r"\ ", r"\s+") for name in marks), key=len, reverse=True)
    return re.compile("|".join(names), re.IGNORECASE) if names else None


def create_prompt_builder(
    tokenizer: ChatTokenizer, image_token_id: int, max_prompt_tokens: int, template: PromptTemplate | None
) -> PromptBuilder:
    """Create the prompt builder for a template; for LLaVA-1.5's format if None."""
    if template is None:
        return PromptBuilder(tokenizer, image_token_id, max_prompt_tokens)
    return TemplatedPromptBuilder(tokenizer, image_token_id, max_prompt_tokens, template)
