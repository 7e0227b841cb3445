"""The reference decoder against a language model of twenty lines whose every logit is known."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from bench.contenders.reference import Decoder
from safety_core.errors import GenerationError, PromptError
from safety_core.model.sampling import Sampling
from safety_core.model.vision.assembly import pad_left

EOS, WORDS = 0, 6


class Counter:
    """Says the number of the next position, modulo WORDS; it sees real positions only through the mask."""

    def __init__(self, poison: float = 0.0) -> None:
        self.config = SimpleNamespace(text_config=SimpleNamespace(max_position_embeddings=12))
        self.poison = poison
        self.prefills = 0

    def __call__(self, *, attention_mask: Tensor, position_ids: Tensor, **kwargs: Any) -> SimpleNamespace:
        self.prefills += "inputs_embeds" in kwargs
        assert (attention_mask.sum(1) == position_ids[:, -1] + 1).all(), "mask and positions disagree"
        wanted_B = (position_ids[:, -1] + 1) % WORDS
        logits = torch.nn.functional.one_hot(wanted_B, WORDS).float()[:, None] + self.poison
        return SimpleNamespace(logits=logits)


def decoder(
    *lengths: int, model: Counter | None = None, sampling: Sampling | None = None, banned: tuple[int, ...] = ()
) -> Decoder:
    inputs = pad_left([torch.zeros(length, 2) for length in lengths])
    backbone = cast(LlavaForConditionalGeneration, model or Counter())
    return Decoder(backbone, inputs, sampling or Sampling(), eos_ids=[EOS], banned_ids=banned)


def run(decoding: Decoder) -> list[list[int]]:
    while not decoding.done:
        decoding.step()
    return decoding.token_ids


def test_rows_of_a_batch_count_from_their_own_start() -> None:
    decoding = decoder(3, 1, 2)
    assert run(decoding) == [[3, 4, 5, 0], [1, 2, 3, 4, 5, 0], [2, 3, 4, 5, 0]]
    assert decoding.finish_reasons == ["stop"] * 3


def test_the_prompt_is_read_once() -> None:
    model = Counter()
    run(decoder(2, model=model))
    assert model.prefills == 1


def test_finished_rows_make_nothing_more() -> None:
    decoding = decoder(4, 1)
    run(decoding)
    assert decoding.step() == [None, None]


def test_length_ends_a_reply() -> None:
    decoding = decoder(1, sampling=Sampling(max_new_tokens=2))
    assert run(decoding) == [[1, 2]]
    assert decoding.finish_reasons == ["length"]


def test_the_context_ends_a_reply() -> None:
    decoding = decoder(9)
    assert run(decoding) == [[3, 4, 5]]
    assert decoding.finish_reasons == ["length"]


def test_a_prompt_that_fills_the_context_is_refused() -> None:
    with pytest.raises(PromptError, match="no room"):
        decoder(12)


def test_banned_tokens_are_passed_over() -> None:
    assert 2 not in run(decoder(1, sampling=Sampling(max_new_tokens=4), banned=(2,)))[0]


def test_output_that_is_not_finite_is_no_reply() -> None:
    with pytest.raises(GenerationError, match="not finite"):
        decoder(1, model=Counter(poison=float("nan"))).step()
