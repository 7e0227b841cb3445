import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.nano.pretrain.language.rows import QuestionRow, embed_rows, fill_row, pack_questions
from safety_core.training.losses.packing import build_mask, lay_out_segments
from tests.helpers.models.nano_backbone import ABOUT_ONE, ABOUT_OTHER, TALK


@pytest.mark.parametrize(("picture", "pairs"), [(1, ABOUT_ONE), (None, TALK)])
def test_a_row_takes_what_fits(
    model: LlavaForConditionalGeneration,
    builder: PromptBuilder,
    features: npt.NDArray[np.float16],
    picture: int | None,
    pairs: list[tuple[str, str]],
) -> None:
    whole = pack_questions(builder, picture, pairs)
    room = embed_rows(model, [whole], features)[0][0].length
    assert fill_row(builder, picture, pairs, room) == whole
    shorter = fill_row(builder, picture, pairs, room - 1)
    assert 0 < len(shorter.questions) < len(pairs)
    assert embed_rows(model, [shorter], features)[0][0].length < room
    assert fill_row(builder, picture, pairs, 1) == pack_questions(builder, picture, pairs[:1])


def test_every_answer_is_learned_to_its_end(
    model: LlavaForConditionalGeneration,
    builder: PromptBuilder,
    features: npt.NDArray[np.float16],
    batch: list[QuestionRow],
) -> None:
    sequences, embeds = embed_rows(model, batch, features)
    assert [len(row) for row in embeds] == [sequence.length for sequence in sequences]
    longest = max(map(len, embeds))
    segments, positions = lay_out_segments(sequences, longest)
    assert segments.shape == positions.shape == (len(batch), longest)
    assert build_mask(segments, torch.float32).shape == (len(batch), 1, longest, longest)
    tokenizer = builder.tokenizer
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    for sequence, pairs in zip(sequences, (ABOUT_ONE, TALK, ABOUT_OTHER), strict=True):
        learned = tokenizer.decode([token for segment in sequence.segments for token in segment.answer])
        assert learned == "".join(f" {answer}</s>" for _, answer in pairs)
