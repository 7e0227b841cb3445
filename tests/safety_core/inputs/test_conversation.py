"""The two variants of a conversation, and conversations that are too long to be normalised."""

import pytest
from transformers import PreTrainedTokenizerFast

from safety_core.errors import PromptError
from safety_core.inputs import conversation
from safety_core.inputs.conversation import MAX_PROMPT_CHARACTERS, Turn, create_text_variants
from safety_core.inputs.prompt_encoding import PromptBuilder
from tests.helpers.conversations import answer, ask, block_tokenizer


def test_what_nobody_takes_is_not_normalised(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    boldest = PromptBuilder(tokenizer, tokenizer.vocab["<image>"], max_prompt_tokens=10**9)
    monkeypatch.setattr(conversation, "normalise", lambda text: pytest.fail("it was normalised"))
    for turns in ([ask("\ufdfa" * (MAX_PROMPT_CHARACTERS + 1))], [ask(""), answer("\ufdfa" * 9_000_000), ask("a")]):
        assert create_text_variants(turns) == (tuple(turns),)
        with block_tokenizer(boldest), pytest.raises(PromptError) as caught:
            boldest.encode_user_words(turns)
        assert caught.value.code == "prompt_too_long"


def test_text_with_hidden_characters_has_two_readings() -> None:
    turns = [Turn(role="user", text="pl\u200bain"), Turn(role="assistant", text="yes"), Turn(role="user", text="why")]
    normalised, raw = create_text_variants(turns)
    assert raw == tuple(turns)
    assert [turn.text for turn in normalised] == ["plain", "yes", "why"]
    assert [turn.role for turn in normalised] == [turn.role for turn in turns]
    assert create_text_variants(normalised) == (normalised,)
