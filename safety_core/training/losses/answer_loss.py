"""The language model's loss over prompts with answers, with shared images computed once.

Prompts that share their images share everything up to the last image position: the template, the safety tokens and
the image features, most of a LLaVA prompt. They are packed into one row behind this prefix. Prompts without images
are packed side by side in the same way.
Shapes: T positions of a prompt · D LLM width · A answer tokens · W vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures
from safety_core.training.losses.packing import PackedSegment, PackedSequence, predict_answers


@dataclass(frozen=True, slots=True)
class PackedPrompts:
    """Prompts in one row."""

    members: tuple[int, ...]
    """Indices of the prompts; the first one provides the prefix."""

    sequence: PackedSequence


def compute_answer_loss(
    model: SafeLlava,
    encoded: Sequence[EncodedPrompt],
    vision: VisionFeatures | None,
    images: Sequence[tuple[int, ...]],
    *,
    share: bool = True,
) -> Tensor:
    """Compute the summed cross-entropy of all answer tokens, with the safety tokens injected.

    Args:
        model: the guarded model.
        encoded: prompts with answers.
        vision: features of the distinct images.
        images: rows of ``vision`` that each prompt shows.
        share: pack prompts that share images; otherwise every prompt has its own row.

    Raises:
        ValueError: a prompt was encoded without an answer.
    """
    flat = [row for rows in images for row in rows]
    inputs = model.build_inputs(encoded, vision[flat] if vision is not None and flat else None, [*map(len, images)])
    lengths = [int(length) for length in inputs.mask_BT.sum(1)]
    # Prompts are padded on the left.
    prompts = [row_TD[-length:] for row_TD, length in zip(inputs.embeds_BTD, lengths, strict=True)]
    rows = pack_prompts(encoded, lengths, images, share=share)
    logits_AW, label_A = predict_answers(
        model.backbone, [row.sequence for row in rows], [_join_embeds(row, prompts) for row in rows]
    )
    return F.cross_entropy(logits_AW, label_A, reduction="sum")


def pack_prompts(
    encoded: Sequence[EncodedPrompt], lengths: Sequence[int], images: Sequence[tuple[int, ...]], *, share: bool
) -> list[PackedPrompts]:
    """Group prompts into rows; ``lengths`` counts each prompt's positions with its images expanded."""
    shared: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    without_images: list[int] = []
    for index, prompt in enumerate(encoded):
        if not share or not images[index]:
            without_images.append(index)
        else:
            shared.setdefault((images[index], tuple(prompt.input_ids[: _count_prefix_ids(prompt)])), []).append(index)
    rows = [
        _pack_members(members, encoded, lengths, prefix=_count_prefix(encoded[members[0]], lengths[members[0]]))
        for members in shared.values()
    ]
    # Prompts without an image fill rows up to the longest row, whose length the batch has anyway.
    longest = max([row.sequence.length for row in rows] + [lengths[index] for index in without_images]) if share else 0
    groups: list[list[int]] = []
    for index in without_images:
        if groups and sum(lengths[other] for other in groups[-1]) + lengths[index] <= longest:
            groups[-1].append(index)
        else:
            groups.append([index])
    return rows + [_pack_members(members, encoded, lengths, prefix=0) for members in groups]


def _pack_members(
    members: Sequence[int], encoded: Sequence[EncodedPrompt], lengths: Sequence[int], *, prefix: int
) -> PackedPrompts:
    """Pack some of the prompts into one row; ``prefix`` counts the positions that they share."""
    segments = tuple(_build_segment(encoded[index], lengths[index], prefix) for index in members)
    return PackedPrompts(tuple(members), PackedSequence(prefix, segments))


def _build_segment(prompt: EncodedPrompt, length: int, prefix: int) -> PackedSegment:
    """Build the segment of a prompt of ``length`` positions behind a prefix."""
    if prompt.answer_span is None:
        raise ValueError("a prompt without an answer cannot be trained on")
    start, end = prompt.answer_span
    return PackedSegment(
        length=length - prefix,
        answer=tuple(prompt.input_ids[start:end]),
        answer_start=length - (len(prompt.input_ids) - start) - prefix,
    )


def _count_prefix_ids(prompt: EncodedPrompt) -> int:
    """Count the ids up to the last image's."""
    return prompt.image_positions[-1] + 1 if prompt.image_positions else 0


def _count_prefix(prompt: EncodedPrompt, length: int) -> int:
    """Count the positions up to the last image's; ``length`` is the number of all positions."""
    return length - (len(prompt.input_ids) - _count_prefix_ids(prompt))


def _join_embeds(row: PackedPrompts, prompts: Sequence[Tensor]) -> Tensor:
    """Join the embeddings of a row; ``prompts`` holds the embeddings (T, D) of each prompt."""
    prefix_D = prompts[row.members[0]][: row.sequence.prefix]
    segments = zip(row.members, row.sequence.segments, strict=True)
    return torch.cat([prefix_D, *(prompts[index][-segment.length :] for index, segment in segments)])
