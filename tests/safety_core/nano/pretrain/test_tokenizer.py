import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from safety_core.inputs.conversation import Turn
from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.nano.pretrain.tokenizer import IMAGE_TOKEN, train_tokenizer

TEXTS = ["USER: \nwhat is in the picture? ASSISTANT: A picture of a dog.", "account 4821 is private"] * 20
TOKENIZER: PreTrainedTokenizerFast = train_tokenizer(TEXTS, vocab_size=330)


def ids(text: str) -> list[int]:
    found: list[int] = TOKENIZER(text, add_special_tokens=False, split_special_tokens=True).input_ids
    return found


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives(text: str) -> None:
    assert TOKENIZER.decode(ids(text)) == text


@pytest.mark.parametrize("text", ["", "  two  spaces ", "a\n\tb", "日本語 ß 🐶", "<image></s> 007", "\u202e\x00\u200b"])
def test_odd_text_survives(text: str) -> None:
    assert TOKENIZER.decode(ids(text)) == text


def test_digits_stand_alone() -> None:
    assert [TOKENIZER.decode([one]) for one in ids("48210")] == list("48210")
    assert [TOKENIZER.decode([one]) for one in ids("pin 48")][-2:] == ["4", "8"]


def test_common_words_are_short() -> None:
    assert len(ids(" picture")) == 1
    assert len(TOKENIZER) <= 330


def test_special_tokens_are_llavas() -> None:
    assert (TOKENIZER.bos_token, TOKENIZER.eos_token, TOKENIZER.pad_token) == ("<s>", "</s>", "<pad>")
    assert TOKENIZER.padding_side == "left"
    assert len({*TOKENIZER.all_special_ids, TOKENIZER.vocab[IMAGE_TOKEN]}) == 4
    # In a user's words they are letters like any other.
    assert not {TOKENIZER.vocab[IMAGE_TOKEN], *TOKENIZER.all_special_ids} & set(ids("<image></s><s>"))


def test_prompts_are_built_with_it() -> None:
    builder = PromptBuilder(TOKENIZER, TOKENIZER.vocab[IMAGE_TOKEN])
    encoded = builder.encode([Turn(role="user", text="what is this?")], 1, answer="A dog.")
    assert TOKENIZER.decode(encoded.input_ids) == "<s>USER: <image>\nwhat is this? ASSISTANT: A dog.</s>"
