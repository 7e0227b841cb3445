"""Plans which inputs the safety head scores for a request, and converts the head's logits to scores.

A request of several images has one input per image, one of all images together, one without the prompt and one without
images; an input that several requests share is scored once. Does not run the head.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from safety_core.model.modules.head import HeadOutput
from safety_core.score_calibration import ScoreCalibration
from safety_core.scores import PairScores, RiskScores

SHORT_PROMPT = 32
"""Length in tokens to which shorter prompts may be padded, so that they need no separate batch."""

_ROW_TOKENS = 16
"""Fixed cost of an input in the head, in tokens."""

_IMAGE_TOKENS = 8
"""Cost of each image of an input in the head, in tokens."""

Heatmap = tuple[tuple[float, ...], ...]
Prompt = tuple[int, ...]
"""Token ids of the text that the head reads."""


@dataclass(frozen=True, slots=True)
class HeadInput:
    """One row of a head batch: images, and optionally a prompt."""

    images: tuple[int, ...]
    """Rows of the vision features."""

    prompt: Prompt | None
    """Token ids of the prompt."""


@dataclass(frozen=True, slots=True)
class HeadScores:
    """The head's result for one input."""

    scores: RiskScores
    """Softmax of the head's logits, recalibrated as the checkpoint says."""

    heatmap: Heatmap
    """Attention over the grid of the first image; empty unless requested."""


def list_head_inputs(
    images: tuple[int, ...], prompt: Prompt | None, *, images_alone: bool = False
) -> tuple[HeadInput, ...]:
    """List the distinct inputs for one sample: all images with and without the prompt, each image, prompt alone.

    Args:
        images: rows of the images.
        prompt: the sample's words.
        images_alone: whether each image is also judged without the prompt.
    """
    prompts = (None,) if prompt is None else (prompt, None)
    joint = [HeadInput(images, variant) for variant in prompts if images or variant is not None]
    single = [HeadInput((image,), prompt) for image in images]
    prompt_only = [HeadInput((), prompt)] if prompt is not None else []
    alone = [HeadInput((image,), None) for image in images if images_alone]
    return tuple(dict.fromkeys([*joint, *single, *alone, *prompt_only]))


def group_by_size(inputs: Sequence[HeadInput], *, rows: int) -> list[list[HeadInput]]:
    """Group inputs of similar size into batches of at most ``rows``; a batch is padded to its largest input."""

    def measure(head_input: HeadInput) -> tuple[int, int]:
        return max(1, len(head_input.images)), 0 if head_input.prompt is None else len(head_input.prompt)

    batches: list[list[HeadInput]] = []
    for head_input in sorted(inputs, key=measure):
        images, length = measure(head_input)
        first_images, first_length = measure(batches[-1][0]) if batches else (0, 0)
        if images != first_images or length > max(SHORT_PROMPT, 2 * first_length) or len(batches[-1]) == rows:
            batches.append([])
        batches[-1].append(head_input)
    return batches


def estimate_cost(head_input: HeadInput) -> int:
    """Estimate the time that the head takes for an input, in tokens."""
    return estimate_row_cost(len(head_input.prompt or ()), len(head_input.images))


def estimate_row_cost(tokens: int, images: int) -> int:
    """Estimate the cost of a row with a prompt of ``tokens`` and with ``images`` images, fixed costs included."""
    return tokens + _ROW_TOKENS + _IMAGE_TOKENS * images


def split_batch(
    batch: Sequence[HeadInput], limit: Callable[[], int], *, cost: Callable[[HeadInput], int] = estimate_cost
) -> Iterator[Sequence[HeadInput]]:
    """Split a batch into passes of at most ``limit()`` tokens, but at least one input; called before each pass."""
    start = 0
    while start < len(batch):
        heaviest, end = cost(batch[start]), start + 1
        most = limit()
        while end < len(batch):
            heaviest = max(heaviest, cost(batch[end]))  # all inputs are padded to the longest
            if heaviest * (end + 1 - start) > most:
                break
            end += 1
        yield batch[start:end]
        start = end


def build_pair_scores(
    images: tuple[int, ...],
    prompt: Prompt | None,
    scores: Mapping[HeadInput, HeadScores],
    *,
    text_decides: bool = False,
    images_alone: bool = False,
) -> PairScores:
    """Assemble the scores of a sample from those of its head inputs.

    Args:
        images: rows of the images.
        prompt: the sample's words.
        scores: scores of every input that :func:`list_head_inputs` lists for the sample.
        text_decides: whether the prompt alone decides too.
        images_alone: whether each image without the prompt decides too.
    """
    per_image = [scores[HeadInput((image,), prompt)] for image in images]
    return PairScores(
        joint=scores[HeadInput(images, prompt)].scores if images and prompt is not None else None,
        per_image=tuple(image_scores.scores for image_scores in per_image),
        image=scores[HeadInput(images, None)].scores if images else None,
        text=scores[HeadInput((), prompt)].scores if prompt is not None else None,
        text_decides=text_decides,
        images_alone=tuple(scores[HeadInput((image,), None)].scores for image in images)
        if images_alone and prompt is not None
        else (),
        heatmaps=tuple(image_scores.heatmap for image_scores in per_image if image_scores.heatmap),
    )


def read_output(
    output: HeadOutput, *, grid: int, heatmap: bool, calibration: ScoreCalibration | None = None
) -> list[HeadScores]:
    """Convert logits to probabilities, row by row; a NaN stays NaN, so that the policy refuses the request.

    Args:
        output: the head's output.
        grid: side of the grid of safety features of one image.
        heatmap: whether to return the attention over it.
        calibration: how the probabilities are recalibrated; not at all if None.
    """
    calibration = ScoreCalibration() if calibration is None else calibration
    types_BC, levels_BL = (
        logits.float().softmax(-1).cpu().numpy().astype(np.float64)
        for logits in (output.type_logits_BC, output.level_logits_BL)
    )
    rows = zip(
        calibration.calibrate_types(types_BC).tolist(), calibration.calibrate_levels(levels_BL).tolist(), strict=True
    )
    maps: Sequence[Heatmap] = [()] * len(types_BC)
    if heatmap and output.attention_BF is not None:
        maps = _build_heatmaps(output.attention_BF, grid)
    return [
        HeadScores(RiskScores(types=tuple(types), levels=tuple(levels)), grid_map)
        for (types, levels), grid_map in zip(rows, maps, strict=True)
    ]


def _build_heatmaps(attention_BF: Tensor, grid: int) -> Sequence[Heatmap]:
    maps = attention_BF[:, : grid * grid].float().unflatten(1, (grid, grid)).tolist()
    return [tuple(tuple(row) for row in rows) for rows in maps]
