"""Rows of different lengths as batches: for the language model and for the head. A count that is off raises here.

Shapes: B batch · T positions · D LLM width · M safety features of one image · P samples · K images of a sample ·
F features of all of a sample's images (K * M, padded).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from safety_core.model.modules.attention import KeyValues
from safety_core.model.vision.tower import VisionFeatures

IGNORED_LABEL = -100
"""Label of a position that the loss leaves out."""

LARGEST_SHARED = 1e6
"""Largest key or value of an image that a row without that image may share; those of the nano are below 10."""


@dataclass(frozen=True, slots=True)
class LmInputs:
    """Left-padded input of the language model."""

    embeds_BTD: Tensor
    """Words, safety tokens and image features, in reading order."""

    mask_BT: Tensor
    """1 at real positions."""

    position_ids_BT: Tensor
    """Positions counted from each row's first real one."""

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.embeds_BTD, self.mask_BT, self.position_ids_BT))


def splice(words_TD: Tensor, positions: Sequence[int], pictures_PD: Sequence[Tensor]) -> Tensor:
    """Words with the placeholder at each position replaced by a picture's rows.

    Raises:
        ValueError: there are not as many pictures as positions.
    """
    if len(positions) != len(pictures_PD):
        raise ValueError(f"{len(positions)} image placeholders were encoded for {len(pictures_PD)} images")
    parts, start = [], 0
    for position, picture_PD in zip(positions, pictures_PD, strict=True):
        parts += [words_TD[start:position], picture_PD.to(words_TD)]
        start = position + 1
    return torch.cat([*parts, words_TD[start:]])


def pad_left(rows_TD: Sequence[Tensor]) -> LmInputs:
    """Rows for decoding: all end at the same position."""
    length = max(len(row) for row in rows_TD)
    embeds_BTD = torch.stack([F.pad(row, (0, 0, length - len(row), 0)) for row in rows_TD])
    mask_BT = torch.zeros(embeds_BTD.shape[:2], dtype=torch.long, device=embeds_BTD.device)
    for index, row in enumerate(rows_TD):
        mask_BT[index, length - len(row) :] = 1
    return LmInputs(embeds_BTD, mask_BT, (mask_BT.cumsum(1) - 1).clamp_min(0))


def pad_right(rows_TD: Sequence[Tensor], answers: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Rows for training: embeds_BTD, mask_BT and labels_BT, which name only the answer that ends each row."""
    length = max(len(row) for row in rows_TD)
    embeds_BTD = torch.stack([F.pad(row, (0, 0, 0, length - len(row))) for row in rows_TD])
    mask_BT = torch.zeros(embeds_BTD.shape[:2], dtype=torch.long, device=embeds_BTD.device)
    labels_BT = torch.full_like(mask_BT, IGNORED_LABEL)
    for index, (row, answer) in enumerate(zip(rows_TD, answers, strict=True)):
        mask_BT[index, : len(row)] = 1
        labels_BT[index, len(row) - len(answer) : len(row)] = torch.tensor(answer, device=labels_BT.device)
    return embeds_BTD, mask_BT, labels_BT


def pad_ids(ids: Sequence[Sequence[int]], *, device: torch.device) -> tuple[Tensor, Tensor]:
    """Right-padded ids_BT and their mask_BT; rows may be empty."""
    length = max(len(row) for row in ids)
    ids_BT = np.zeros((len(ids), length), dtype=np.int64)
    mask_BT = np.zeros((len(ids), length), dtype=np.bool_)
    for index, row in enumerate(ids):
        ids_BT[index, : len(row)] = row
        mask_BT[index, : len(row)] = True
    return torch.from_numpy(ids_BT).to(device), torch.from_numpy(mask_BT).to(device)


def gather_features(safe_BMD: Tensor, images: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Safety features of several images a row: padded safe_PFD and its mask_PF, for rows ``images`` of safe_BMD."""
    _, features, width = safe_BMD.shape
    most = max(len(row) for row in images)
    picture_of = safe_BMD.unbind()
    # Another sample's features could be NaN, and a weight of zero times NaN would still be NaN.
    missing_MD = safe_BMD.new_zeros(features, width)
    parts = [picture_of[row[place]] if place < len(row) else missing_MD for row in images for place in range(most)]
    mask_PK = torch.tensor([[place < len(row) for place in range(most)] for row in images], device=safe_BMD.device)
    mask_PF = mask_PK[..., None].expand(-1, -1, features).reshape(len(images), most * features)
    return torch.stack(parts).reshape(len(images), most * features, width), mask_PF


def gather_key_values(images: KeyValues, shown: Sequence[Sequence[int]]) -> tuple[KeyValues, Tensor]:
    """Keys and values of each row's images, padded, with their mask_BF: True where a row has an image.

    If every row that has images has the same ones, their keys and values are returned once, as a single row that
    attention shares among all rows. Very large or non-finite features are never shared with a row without images.

    Args:
        images: keys and values of each image.
        shown: the images of each row; at least one row has some.
    """
    distinct = {tuple(row) for row in shown if row}
    if len(distinct) == 1:
        (same,) = distinct
        keys_FD, values_FD = (torch.cat([part_BKD[image] for image in same]) for part_BKD in images)
        # A masked weight is zero, but zero times NaN is NaN, and so is minus infinity plus infinity.
        if all(shown) or bool(torch.maximum(keys_FD.abs().amax(), values_FD.abs().amax()) < LARGEST_SHARED):
            mask_B1 = torch.tensor([[bool(row)] for row in shown], device=keys_FD.device)
            return KeyValues(keys_FD[None], values_FD[None]), mask_B1.expand(-1, len(keys_FD))
    keys_BFD, mask_BF = gather_features(images.keys_BKD, shown)
    values_BFD, _ = gather_features(images.values_BKD, shown)
    return KeyValues(keys_BFD, values_BFD), mask_BF


def image_rows(vision: VisionFeatures | None, images_per_sample: Sequence[int], samples: int) -> list[tuple[int, ...]]:
    """Which rows of the features belong to each sample; every image must belong to exactly one."""
    available = 0 if vision is None else len(vision)
    if len(images_per_sample) != samples or sum(images_per_sample) != available:
        raise ValueError(
            f"{available} images and {samples} prompts were given, the counts name {sum(images_per_sample)} images "
            f"of {len(images_per_sample)} prompts"
        )
    ends = [sum(images_per_sample[: index + 1]) for index in range(samples)]
    return [tuple(range(end - count, end)) for end, count in zip(ends, images_per_sample, strict=True)]
