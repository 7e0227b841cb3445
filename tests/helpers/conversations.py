"""Turns of conversations, and a tokenizer that must not be called."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from transformers import PreTrainedTokenizerFast

from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompt_encoding import PromptBuilder


def ask(text: str) -> Turn:
    """Create a turn of the user."""
    return Turn(role="user", text=text)


def answer(text: str) -> Turn:
    """Create a turn of the assistant."""
    return Turn(role="assistant", text=text)


def decode_ids(builder: PromptBuilder, ids: list[int]) -> str:
    """Decode token ids to text."""
    tokenizer = builder.tokenizer
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return str(tokenizer.decode(ids, clean_up_tokenization_spaces=False))


@contextmanager
def block_tokenizer(builder: PromptBuilder) -> Iterator[PromptBuilder]:
    """Replace the builder's tokenizer with one that must not be called."""
    tokenizer, builder.tokenizer = builder.tokenizer, Untouchable()
    try:
        yield builder
    finally:
        builder.tokenizer = tokenizer


class Untouchable:
    bos_token_id = eos_token_id = unk_token_id = None
    all_special_ids: ClassVar[list[int]] = []

    def __call__(self, text: str, **options: Any) -> Any:
        pytest.fail("it was tokenised")

    def __len__(self) -> int:
        pytest.fail("it was tokenised")

    def convert_ids_to_tokens(self, ids: list[int]) -> Any:
        pytest.fail("it was tokenised")
