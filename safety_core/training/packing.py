"""The language model's loss over several prompts of one picture, paying for the picture once.

Samples that share their pictures share everything up to the last image position: the template, the safety tokens and
the image features, most of a LLaVA prompt. They are packed into one row, [prefix ; rest of sample 1 ; rest of sample 2
; …], where each rest sees the prefix and itself. Samples without pictures are packed side by side in the same way. The
result equals that of one row per sample, at a fraction of the positions.
Shapes: R rows · Q packed positions · D LLM width · A answer tokens · W vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from safety_core.inputs.prompts import EncodedPrompt
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures


@dataclass(frozen=True, slots=True)
class Rest:
    """The part of a sample behind the prefix that it shares."""

    sample: int
    length: int
    answer_start: int
    """Where the answer starts, counted from the start of the rest."""


@dataclass(frozen=True, slots=True)
class Row:
    """Samples in one packed row."""

    prefix: int
    """Positions of the shared prefix; it is the first sample's."""

    rests: tuple[Rest, ...]

    @property
    def length(self) -> int:
        """Positions in use."""
        return self.prefix + sum(rest.length for rest in self.rests)


def answer_loss(
    model: SafeLlava,
    encoded: Sequence[EncodedPrompt],
    vision: VisionFeatures | None,
    images: Sequence[tuple[int, ...]],
    *,
    share: bool = True,
) -> Tensor:
    """Summed cross-entropy of all answer tokens, with the safety tokens injected.

    Args:
        model: the guarded model.
        encoded: prompts with answers.
        vision: features of the distinct pictures.
        images: rows of ``vision`` that each prompt shows.
        share: pack what is shared; off, every sample has a row of its own.

    Raises:
        ValueError: a prompt was encoded without an answer.
    """
    flat = [row for rows in images for row in rows]
    inputs = model.build_inputs(encoded, vision[flat] if vision is not None and flat else None, [*map(len, images)])
    lengths = [int(length) for length in inputs.mask_BT.sum(1)]
    # Left padding: the last positions of a row are real.
    samples = [row_TD[-length:] for row_TD, length in zip(inputs.embeds_BTD, lengths, strict=True)]
    rows = pack(encoded, lengths, images, share=share)
    longest = max(row.length for row in rows)
    embeds_RQD = torch.stack([F.pad(_embeds(row, samples), (0, 0, 0, longest - row.length)) for row in rows])
    segments_RQ, positions_RQ = _layout(rows, longest, embeds_RQD.device)
    hidden_RQD = model.backbone.model.language_model(
        inputs_embeds=embeds_RQD,
        attention_mask=_mask(segments_RQ, embeds_RQD.dtype),
        position_ids=positions_RQ,
        use_cache=False,
    ).last_hidden_state
    row_A, place_A, label_A = _targets(rows, encoded, embeds_RQD.device)
    logits_AW = model.backbone.lm_head(hidden_RQD[row_A, place_A]).float()
    return F.cross_entropy(logits_AW, label_A, reduction="sum")


def pack(
    encoded: Sequence[EncodedPrompt], lengths: Sequence[int], images: Sequence[tuple[int, ...]], *, share: bool
) -> list[Row]:
    """Which samples share a row; ``lengths`` counts each sample's positions with its pictures expanded."""
    shared: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    alone: list[int] = []
    for sample, prompt in enumerate(encoded):
        head = tuple(prompt.input_ids[: _prefix_ids(prompt)])
        if not share or not images[sample]:
            alone.append(sample)
        else:
            shared.setdefault((images[sample], head), []).append(sample)
    rows = [
        Row(_prefix(encoded[members[0]], lengths[members[0]]), tuple(_rest(i, encoded[i], lengths[i]) for i in members))
        for members in shared.values()
    ]
    rests = [Rest(i, lengths[i], _answer_start(encoded[i], lengths[i])) for i in alone]
    # Samples without a picture fill rows up to the longest one that is there anyway.
    budget = max([row.length for row in rows] + [rest.length for rest in rests]) if share else 0
    side_by_side: list[list[Rest]] = []
    for rest in rests:
        if side_by_side and sum(other.length for other in side_by_side[-1]) + rest.length <= budget:
            side_by_side[-1].append(rest)
        else:
            side_by_side.append([rest])
    return rows + [Row(0, tuple(members)) for members in side_by_side]


def _prefix_ids(prompt: EncodedPrompt) -> int:
    return prompt.image_positions[-1] + 1 if prompt.image_positions else 0


def _prefix(prompt: EncodedPrompt, length: int) -> int:
    return length - (len(prompt.input_ids) - _prefix_ids(prompt))


def _answer_start(prompt: EncodedPrompt, length: int) -> int:
    if prompt.answer_span is None:
        raise ValueError("a prompt without an answer cannot be trained on")
    return length - (len(prompt.input_ids) - prompt.answer_span[0])


def _rest(sample: int, prompt: EncodedPrompt, length: int) -> Rest:
    prefix = _prefix(prompt, length)
    return Rest(sample, length - prefix, _answer_start(prompt, length) - prefix)


def _embeds(row: Row, samples: Sequence[Tensor]) -> Tensor:
    prefix_D = samples[row.rests[0].sample][: row.prefix]
    return torch.cat([prefix_D, *(samples[rest.sample][-rest.length :] for rest in row.rests)])


def _layout(rows: Sequence[Row], longest: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Segment of each position (0 prefix, 1… rests, -1 padding) and its position id."""
    segments = torch.full((len(rows), longest), -1)
    positions = torch.zeros(len(rows), longest, dtype=torch.long)
    for index, row in enumerate(rows):
        segments[index, : row.prefix] = 0
        positions[index, : row.prefix] = torch.arange(row.prefix)
        start = row.prefix
        for number, rest in enumerate(row.rests, start=1):
            segments[index, start : start + rest.length] = number
            positions[index, start : start + rest.length] = torch.arange(row.prefix, row.prefix + rest.length)
            start += rest.length
    return segments.to(device), positions.to(device)


def _mask(segments_RQ: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive mask_R1QQ: look back at the prefix and at one's own rest; padding looks at itself alone."""
    queries, keys = segments_RQ[:, :, None], segments_RQ[:, None, :]
    place_Q = torch.arange(segments_RQ.shape[1], device=segments_RQ.device)
    back_QQ = place_Q[:, None] >= place_Q[None, :]
    visible_RQQ = back_QQ & ((keys == 0) | (keys == queries)) & (keys >= 0) & (queries >= 0)
    visible_RQQ = visible_RQQ | torch.eye(len(place_Q), dtype=torch.bool, device=segments_RQ.device)
    mask_RQQ = torch.zeros(visible_RQQ.shape, dtype=dtype, device=segments_RQ.device)
    return mask_RQQ.masked_fill(~visible_RQQ, torch.finfo(dtype).min)[:, None]


def _targets(rows: Sequence[Row], encoded: Sequence[EncodedPrompt], device: torch.device) -> tuple[Tensor, ...]:
    """Row and position that predict each answer token, and the token."""
    row_A: list[int] = []
    place_A: list[int] = []
    label_A: list[int] = []
    for index, row in enumerate(rows):
        start = row.prefix
        for rest in row.rests:
            span = encoded[rest.sample].answer_span
            assert span is not None
            answer = encoded[rest.sample].input_ids[span[0] : span[1]]
            first = start + rest.answer_start - 1
            row_A += [index] * len(answer)
            place_A += range(first, first + len(answer))
            label_A += answer
            start += rest.length
    return tuple(torch.tensor(values, device=device) for values in (row_A, place_A, label_A))
