"""Encodes the lettering of a request's images for the safety head, alone and together with the user's words.

The language model never reads it. Knows no scores; ``safety_core.lettering`` lists the texts.
"""

from __future__ import annotations

from collections.abc import Sequence

from safety_core.engine.judging.model_input import LetteringInput
from safety_core.engine.judging.variant_decision import Turns
from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.lettering.assembly import Assembler
from safety_core.lettering.bounded_reader import PictureReading
from safety_core.lettering.request_texts import list_lettering_texts

_OVERLAP = 8
"""A part of a long text begins with the last eighth of the part before it."""


class LetteringEncoder:
    """Encodes lettering with one tokenizer.

    Args:
        prompts: encodes texts, undoes disguises and knows the lexicon.
    """

    def __init__(self, prompts: PromptBuilder) -> None:
        self._prompts = prompts
        self._assembler = Assembler(lambda: prompts.lexicon, prompts.undisguise)

    def load(self) -> None:
        """Load the lexicon, so that the first request does not wait for it."""
        assert len(self._prompts.lexicon)

    def encode(self, readings: Sequence[PictureReading], turns: Turns) -> tuple[LetteringInput, ...]:
        """Encode all texts to judge; empty if no picture has lettering.

        Args:
            readings: the pictures of the request.
            turns: the conversation, as displayed.

        Raises:
            PromptError: a part of a text has more tokens than the head reads, or too many transparent pictures have
                lettering that depends on the background.
        """
        if not any(reading.lines for reading in readings):
            return ()
        texts = list_lettering_texts(readings, _list_prompts(turns), self._assembler, self._split)
        distinct: dict[tuple[int, ...], LetteringInput] = {}
        for text, ids in zip(texts, self._prompts.encode_texts([text.text for text in texts]), strict=True):
            if ids:
                distinct.setdefault(tuple(ids), LetteringInput(ids=tuple(ids), source=text.source))
        return tuple(distinct.values())

    def _split(self, text: str, share: float) -> list[str]:
        """Split a text into overlapping parts of at most a share of the tokens that the head reads."""
        size = max(1, int(share * self._prompts.max_prompt_tokens))
        if len(text.encode("utf-8", "replace")) < size:  # a token has at least one byte; a space may be added
            return [text]
        pieces = self._prompts.split_into_tokens(text)
        if len(pieces) <= size:
            return [text]
        step = max(1, size - size // _OVERLAP)
        starts = range(0, max(1, len(pieces) - size + step), step)
        return ["".join(pieces[start : start + size]) for start in starts]


def _list_prompts(turns: Turns) -> list[str]:
    """List the user's words that are judged together with lettering: all of them, and the newest ones."""
    of_user = [turn for turn in turns if turn.role == "user"]
    newest = [(turn.parts or (turn.text,))[-1] for turn in of_user[-1:]]
    return ["\n".join(turn.text for turn in of_user), *newest]
