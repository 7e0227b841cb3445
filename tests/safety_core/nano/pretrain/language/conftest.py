"""A tiny backbone, features of two pictures, and a batch of questions about them."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.nano.pretrain.language.rows import QuestionRow, pack_questions
from safety_core.nano.pretrain.tokenizer import IMAGE_TOKEN
from safety_core.nano.world.scene import SIDE
from tests.helpers.models.nano_backbone import ABOUT_ONE, ABOUT_OTHER, TALK, make_model, make_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer()


@pytest.fixture(scope="module")
def builder(tokenizer: PreTrainedTokenizerFast) -> PromptBuilder:
    return PromptBuilder(tokenizer, tokenizer.vocab[IMAGE_TOKEN])


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    return make_model(tokenizer)


@pytest.fixture
def pixels() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def features(model: LlavaForConditionalGeneration, pixels: Tensor) -> npt.NDArray[np.float16]:
    """What the build keeps of the frozen tower: its last layer without the class token, in 16 bit."""
    with torch.no_grad():
        states = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states
    kept: npt.NDArray[np.float16] = states[-1][:, 1:].numpy().astype(np.float16)
    return kept


@pytest.fixture
def batch(builder: PromptBuilder) -> list[QuestionRow]:
    return [
        pack_questions(builder, 1, ABOUT_ONE),
        pack_questions(builder, None, TALK),
        pack_questions(builder, 0, ABOUT_OTHER),
    ]
