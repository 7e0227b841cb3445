"""Positions of a reply: those of its prompt are what the language model reads, pictures and safety tokens included."""

from typing import Any

import pytest
import torch

from safety_core.engine.generation.sequences import GenerationRequest, ReplySequence, count_prompt_positions
from safety_core.engine.generation.stop_strings import StopStrings
from safety_core.engine.generation.text_assembler import TextAssembler
from safety_core.engine.guard import Guard
from safety_core.errors import GenerationError
from safety_core.inputs.conversation import Turn
from tests.helpers.images.pictures import create_picture

TURNS = [Turn(role="user", text="What do you see?")]


def request(guard: Guard, pictures: int, **fields: Any) -> GenerationRequest:
    model = guard.model
    views = [view for _ in range(pictures) for view in create_picture().views]
    features = model.encode_images(model.preprocess(views)) if pictures else None
    return GenerationRequest(prompt=model.prompts.encode(TURNS, pictures), images=features, **fields)


@pytest.mark.parametrize("inject", [True, False])
@pytest.mark.parametrize("pictures", [0, 1, 3])
def test_positions_of_a_prompt_are_those_that_the_model_reads(guard: Guard, pictures: int, inject: bool) -> None:
    asked = request(guard, pictures, inject=inject)
    (embeds_TD,) = guard.model.embed([asked.prompt], asked.images, [pictures], inject)
    assert count_prompt_positions(guard.model, asked) == len(embeds_TD)


def test_a_reply_holds_what_was_read_and_reserves_what_may_come(guard: Guard) -> None:
    sequence = ReplySequence(
        request=request(guard, 0),
        prompt_positions=10,
        limit=5,
        draws=torch.Generator(),
        assembler=TextAssembler(guard.model.tokenizer),
        stop_strings=StopStrings(()),
    )
    assert (sequence.reserved, sequence.done) == (15, False)
    for cached in (10, 11, 12):
        sequence.token_ids.append(7)
        assert sequence.cached == cached, "the newest token was not read yet"
    sequence.failure = GenerationError("it broke")
    assert sequence.done
