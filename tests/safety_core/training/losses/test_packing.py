import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from safety_core.training.losses.packing import (
    PackedSegment,
    PackedSequence,
    build_mask,
    lay_out_segments,
    locate_answers,
)

ROWS = (
    PackedSequence(2, (PackedSegment(2, (7,), 1), PackedSegment(1, (8,), 0))),
    PackedSequence(0, (PackedSegment(3, (5, 6), 1),)),
)


def build_boolean_mask(segments_RQ: Tensor) -> Tensor:
    """Visible positions; unlike in the additive mask, padding also sees the prefix and earlier padding."""
    queries, keys = segments_RQ[:, :, None], segments_RQ[:, None, :]
    causal_QQ = torch.ones(segments_RQ.shape[1], segments_RQ.shape[1], dtype=torch.bool).tril()
    return (((queries == keys) | (keys == 0)) & causal_QQ)[:, None]


def test_segments_have_the_positions_that_they_have_alone() -> None:
    segments, positions = lay_out_segments(ROWS, 6)
    assert segments.tolist() == [[0, 0, 1, 1, 2, -1], [1, 1, 1, -1, -1, -1]]
    assert positions.tolist() == [[0, 1, 2, 3, 2, 0], [0, 1, 2, 0, 0, 0]]


def test_the_mask_shows_the_prefix_and_the_own_segment() -> None:
    segments, _ = lay_out_segments(ROWS, 6)
    mask = build_mask(segments, torch.float32)
    assert mask.shape == (2, 1, 6, 6)
    assert mask.dtype == torch.float32
    assert set(mask.unique().tolist()) == {0.0, torch.finfo(torch.float32).min}
    assert (mask[0, 0] == 0).int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]


@pytest.mark.parametrize("repeats", [1, 400])
def test_the_mask_gives_the_results_of_a_boolean_one(repeats: int) -> None:
    """To the bit, gradients included; also where whole blocks of the attention kernel are hidden."""
    sequences = (PackedSequence(2, ROWS[0].segments * repeats), PackedSequence(0, ROWS[1].segments * repeats))
    longest = max(sequence.length for sequence in sequences)
    segments, _ = lay_out_segments(sequences, longest)
    generator = torch.Generator().manual_seed(0)
    results = []
    states = torch.randn(3, len(sequences), 2, longest, 8, generator=generator)
    for mask in (build_mask(segments, torch.float32), build_boolean_mask(segments)):
        query, key, value = (state.clone().requires_grad_() for state in states)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)[segments >= 0]
        results.append((attended, *torch.autograd.grad(attended.square().sum(), (query, key, value))))
    assert all(torch.equal(additive, boolean) for additive, boolean in zip(*results, strict=True))


def test_an_answer_is_predicted_at_the_position_before_each_token() -> None:
    rows, places, labels = (values.tolist() for values in locate_answers(ROWS))
    assert rows == [0, 0, 1, 1]
    assert places == [2, 3, 0, 1]
    assert labels == [7, 8, 5, 6]
