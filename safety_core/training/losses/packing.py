"""Packed sequences: several samples in one row of a batch, with their common prefix computed once.

A row is [prefix ; segment 1 ; segment 2 ; …]. Each segment sees the prefix and itself, at the positions that it would
have alone, so the result equals one row for each sample. Knows no prompts and no images.
Shapes: R rows · Q packed positions · D LLM width · A answer tokens · W vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlavaForConditionalGeneration


@dataclass(frozen=True, slots=True)
class PackedSegment:
    """The positions of one sample behind the prefix."""

    length: int
    answer: tuple[int, ...]
    """Token ids of the answer."""

    answer_start: int
    """Position of the answer's first token, counted from the start of the segment."""


@dataclass(frozen=True, slots=True)
class PackedSequence:
    """One row: a prefix and the segments that share it."""

    prefix: int
    """Positions of the prefix."""

    segments: tuple[PackedSegment, ...]

    @property
    def length(self) -> int:
        """Positions of the row without padding."""
        return self.prefix + sum(segment.length for segment in self.segments)


def predict_answers(
    model: LlavaForConditionalGeneration, sequences: Sequence[PackedSequence], embeds: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Run the language model on packed rows.

    Args:
        model: a LLaVA.
        sequences: the rows.
        embeds: embeddings (positions, D) of each row.

    Returns:
        logits_AW for each answer token, and the ids label_A of the answer tokens.
    """
    longest = max(sequence.length for sequence in sequences)
    embeds_RQD = torch.stack([F.pad(row_QD, (0, 0, 0, longest - len(row_QD))) for row_QD in embeds])
    segments_RQ, positions_RQ = lay_out_segments(sequences, longest)
    device = embeds_RQD.device
    hidden_RQD = model.model.language_model(
        inputs_embeds=embeds_RQD,
        attention_mask=build_mask(segments_RQ.to(device), embeds_RQD.dtype),
        position_ids=positions_RQ.to(device),
        use_cache=False,
    ).last_hidden_state
    row_A, place_A, label_A = (values_A.to(device) for values_A in locate_answers(sequences))
    return model.lm_head(hidden_RQD[row_A, place_A]).float(), label_A


def lay_out_segments(sequences: Sequence[PackedSequence], longest: int) -> tuple[Tensor, Tensor]:
    """Number the positions of rows: segment (0 prefix, 1… segments, -1 padding) and position id, both RQ."""
    segments_RQ = torch.full((len(sequences), longest), -1)
    positions_RQ = torch.zeros(len(sequences), longest, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        start = sequence.prefix
        segments_RQ[row, :start] = 0
        positions_RQ[row, :start] = torch.arange(start)
        for number, segment in enumerate(sequence.segments, start=1):
            end = start + segment.length
            segments_RQ[row, start:end] = number
            positions_RQ[row, start:end] = torch.arange(sequence.prefix, sequence.prefix + segment.length)
            start = end
    return segments_RQ, positions_RQ


def build_mask(segments_RQ: Tensor, dtype: torch.dtype) -> Tensor:
    """Build the additive mask_R1QQ: positions see the prefix and their segment causally; padding sees itself."""
    queries, keys = segments_RQ[:, :, None], segments_RQ[:, None, :]
    place_Q = torch.arange(segments_RQ.shape[1], device=segments_RQ.device)
    causal_QQ = place_Q[:, None] >= place_Q[None, :]
    visible_RQQ = causal_QQ & ((keys == 0) | (keys == queries)) & (keys >= 0) & (queries >= 0)
    visible_RQQ = visible_RQQ | torch.eye(len(place_Q), dtype=torch.bool, device=segments_RQ.device)
    mask_RQQ = torch.zeros(visible_RQQ.shape, dtype=dtype, device=segments_RQ.device)
    return mask_RQQ.masked_fill(~visible_RQQ, torch.finfo(dtype).min)[:, None]


def locate_answers(sequences: Sequence[PackedSequence]) -> tuple[Tensor, Tensor, Tensor]:
    """Locate the answer tokens: row_A and place_A of the position that predicts each, and its id label_A."""
    row_A: list[int] = []
    place_A: list[int] = []
    label_A: list[int] = []
    for row, sequence in enumerate(sequences):
        start = sequence.prefix
        for segment in sequence.segments:
            first = start + segment.answer_start - 1
            row_A += [row] * len(segment.answer)
            place_A += range(first, first + len(segment.answer))
            label_A += segment.answer
            start += segment.length
    return torch.tensor(row_A), torch.tensor(place_A), torch.tensor(label_A)
