"""Assembles rows of different lengths into padded batches for the language model and the head, and checks counts.

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

LARGEST_SHARED = 1e6
"""Maximum magnitude of an image's keys and values that a row without that image may share; the nano's are below 10."""


@dataclass(frozen=True, slots=True)
class LmInputs:
    """Left-padded input of the language model."""

    embeds_BTD: Tensor
    """Embeddings of text tokens, safety tokens and image features, in order."""

    mask_BT: Tensor
    """1 at real positions."""

    position_ids_BT: Tensor
    """Positions counted from each row's first real one."""

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.embeds_BTD, self.mask_BT, self.position_ids_BT))


def splice(words_TD: Tensor, positions: Sequence[int], images_PD: Sequence[Tensor]) -> Tensor:
    """Replace the placeholder at each position of the text by the rows of an image.

    Raises:
        ValueError: the numbers of images and positions differ.
    """
    if len(positions) != len(images_PD):
        raise ValueError(f"{len(positions)} image placeholders were encoded for {len(images_PD)} images")
    parts, start = [], 0
    for position, image_PD in zip(positions, images_PD, strict=True):
        parts += [words_TD[start:position], image_PD.to(words_TD)]
        start = position + 1
    return torch.cat([*parts, words_TD[start:]])


def pad_left(rows_TD: Sequence[Tensor]) -> LmInputs:
    """Pad rows for decoding, so that all end at the same position."""
    length = max(len(row) for row in rows_TD)
    embeds_BTD = torch.stack([F.pad(row, (0, 0, length - len(row), 0)) for row in rows_TD])
    mask_BT = torch.zeros(embeds_BTD.shape[:2], dtype=torch.long, device=embeds_BTD.device)
    for index, row in enumerate(rows_TD):
        mask_BT[index, length - len(row) :] = 1
    return LmInputs(embeds_BTD, mask_BT, (mask_BT.cumsum(1) - 1).clamp_min(0))


def pad_ids(ids: Sequence[Sequence[int]], *, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pad ids on the right; returns ids_BT and their mask_BT. Rows may be empty."""
    length = max(len(row) for row in ids)
    ids_BT = np.zeros((len(ids), length), dtype=np.int64)
    mask_BT = np.zeros((len(ids), length), dtype=np.bool_)
    for index, row in enumerate(ids):
        ids_BT[index, : len(row)] = row
        mask_BT[index, : len(row)] = True
    return torch.from_numpy(ids_BT).to(device), torch.from_numpy(mask_BT).to(device)


def gather_features(safe_BMD: Tensor, images: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Gather the safety features of each row's images; returns the padded safe_PFD and its mask_PF."""
    _, features, width = safe_BMD.shape
    most = max(len(row) for row in images)
    features_of = safe_BMD.unbind()
    # Zeros, not another sample's features: these could be NaN, and a weight of zero times NaN is NaN.
    missing_MD = safe_BMD.new_zeros(features, width)
    parts = [features_of[row[place]] if place < len(row) else missing_MD for row in images for place in range(most)]
    mask_PK = torch.tensor([[place < len(row) for place in range(most)] for row in images], device=safe_BMD.device)
    mask_PF = mask_PK[..., None].expand(-1, -1, features).reshape(len(images), most * features)
    return torch.stack(parts).reshape(len(images), most * features, width), mask_PF


def gather_key_values(images: KeyValues, rows: Sequence[Sequence[int]]) -> tuple[KeyValues, Tensor]:
    """Gather the keys and values of each row's images, padded, and their mask_BF, True where a row has an image.

    If all rows with images have the same ones, their keys and values are returned as a single row, which attention
    shares among all rows. Very large or non-finite features are never shared with a row without images.

    Args:
        images: keys and values of each image.
        rows: the images of each row; at least one row has an image.
    """
    distinct = {tuple(row) for row in rows if row}
    if len(distinct) == 1:
        (same,) = distinct
        keys_FD, values_FD = (torch.cat([part_BKD[image] for image in same]) for part_BKD in images)
        # A masked weight is zero, but zero times NaN is NaN, and so is minus infinity plus infinity.
        if all(rows) or bool(torch.maximum(keys_FD.abs().amax(), values_FD.abs().amax()) < LARGEST_SHARED):
            mask_B1 = torch.tensor([[bool(row)] for row in rows], device=keys_FD.device)
            return KeyValues(keys_FD[None], values_FD[None]), mask_B1.expand(-1, len(keys_FD))
    keys_BFD, mask_BF = gather_features(images.keys_BKD, rows)
    values_BFD, _ = gather_features(images.values_BKD, rows)
    return KeyValues(keys_BFD, values_BFD), mask_BF


def group_image_rows(
    vision: VisionFeatures | None, images_per_sample: Sequence[int], samples: int
) -> list[tuple[int, ...]]:
    """Return the rows of each sample's images; raises ValueError unless every image belongs to exactly one sample."""
    available = 0 if vision is None else len(vision)
    if len(images_per_sample) != samples or sum(images_per_sample) != available:
        raise ValueError(
            f"{available} images and {samples} prompts were given, the counts list {sum(images_per_sample)} images "
            f"of {len(images_per_sample)} prompts"
        )
    ends = [sum(images_per_sample[: index + 1]) for index in range(samples)]
    return [tuple(range(end - count, end)) for end, count in zip(ends, images_per_sample, strict=True)]
