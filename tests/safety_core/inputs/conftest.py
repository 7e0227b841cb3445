"""Prompt builders of two tokenizers."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from safety_core.inputs.prompt_encoding import PromptBuilder
from tests.helpers.models.tiny import CORPUS


@pytest.fixture(scope="module")
def builder(tokenizer: PreTrainedTokenizerFast) -> PromptBuilder:
    return PromptBuilder(tokenizer, tokenizer.vocab["<image>"])


@pytest.fixture(scope="module")
def spacing_builder() -> PromptBuilder:
    """A tokenizer that, like Llama's, puts a space in front of whatever it is given."""
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    special = ["<unk>", "<s>", "</s>", "<image>"]
    core.train_from_iterator([*CORPUS, "\n"], trainers.BpeTrainer(vocab_size=300, special_tokens=special))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )
    return PromptBuilder(tokenizer, tokenizer.vocab["<image>"])
