"""Which views of a request the head judges, and how its logits become scores.

A request of several images has one view per image, one of all of them, and its surfaces; a view that several places
need is judged once. Knows nothing of networks: it plans rows and reads results.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from safety_core.model.modules.head import HeadOutput
from safety_core.scores import PairScores, RiskScores

SHORT = 32
"""Tokens of a prompt to which any may be padded: less is not worth a batch of its own."""

_ROW_TOKENS = 16
"""Fixed cost of a view in the head, in tokens."""

_IMAGE_TOKENS = 8
"""Cost of one more picture in the head, in tokens."""

Heatmap = tuple[tuple[float, ...], ...]
Prompt = tuple[int, ...]
"""Ids of the words that the head reads."""


@dataclass(frozen=True, slots=True)
class View:
    """One row for the head: some images, and a prompt or none."""

    images: tuple[int, ...]
    """Rows of the vision features."""

    prompt: Prompt | None
    """The prompt that is read."""


@dataclass(frozen=True, slots=True)
class ViewScores:
    """What the head said about one view."""

    scores: RiskScores
    """Softmax of its logits."""

    heatmap: Heatmap
    """Attention over the first image's grid; empty unless asked for."""


def views_of(images: tuple[int, ...], prompt: Prompt | None) -> tuple[View, ...]:
    """All views of one sample of some images and a prompt, or None."""
    prompts = (None,) if prompt is None else (prompt, None)
    joint = [View(images, one) for one in prompts if images or one is not None]
    single = [View((image,), prompt) for image in images]
    alone = [View((), prompt)] if prompt is not None else []
    return tuple(dict.fromkeys([*joint, *single, *alone]))


def batches_of(views: Sequence[View], *, rows: int) -> list[list[View]]:
    """Views in batches of so many rows at most, each padded to the largest there: those of similar size together."""

    def size(view: View) -> tuple[int, int]:
        return max(1, len(view.images)), 0 if view.prompt is None else len(view.prompt)

    batches: list[list[View]] = []
    for view in sorted(views, key=size):
        images, length = size(view)
        first_images, first_length = size(batches[-1][0]) if batches else (0, 0)
        if images != first_images or length > max(SHORT, 2 * first_length) or len(batches[-1]) == rows:
            batches.append([])
        batches[-1].append(view)
    return batches


def weight_of(view: View) -> int:
    """How long the head takes for a view, in tokens."""
    return weight_of_row(len(view.prompt or ()), len(view.images))


def weight_of_row(tokens: int, images: int) -> int:
    """The same for a prompt of so many tokens and so many pictures: what stands for the row and its pictures, too."""
    return tokens + _ROW_TOKENS + _IMAGE_TOKENS * images


def pieces_of(batch: Sequence[View], limit: Callable[[], int]) -> Iterator[Sequence[View]]:
    """Split a batch into pieces of at most ``limit()`` tokens, called for each piece; each has at least one view."""
    start = 0
    while start < len(batch):
        heaviest, end = weight_of(batch[start]), start + 1
        most = limit()
        while end < len(batch):
            heaviest = max(heaviest, weight_of(batch[end]))  # all are padded to the longest
            if heaviest * (end + 1 - start) > most:
                break
            end += 1
        yield batch[start:end]
        start = end


def pair_scores(images: tuple[int, ...], prompt: Prompt | None, judged: Mapping[View, ViewScores]) -> PairScores:
    """Put a sample's views where clients of :class:`PairScores` look for them."""
    per_image = [judged[View((image,), prompt)] for image in images]
    return PairScores(
        joint=judged[View(images, prompt)].scores if images and prompt is not None else None,
        per_image=tuple(view.scores for view in per_image),
        image=judged[View(images, None)].scores if images else None,
        text=judged[View((), prompt)].scores if prompt is not None else None,
        heatmaps=tuple(view.heatmap for view in per_image if view.heatmap),
    )


def read_output(output: HeadOutput, *, grid: int, heatmap: bool) -> list[ViewScores]:
    """Logits to probabilities, row by row; a NaN stays one, for the policy to refuse."""
    types_BC = output.type_logits_BC.float().softmax(-1).tolist()
    levels_BL = output.level_logits_BL.float().softmax(-1).tolist()
    maps = _heatmaps(output.attention_BF, grid) if heatmap and output.attention_BF is not None else [()] * len(types_BC)
    return [
        ViewScores(RiskScores(types=tuple(types), levels=tuple(levels)), grid_map)
        for types, levels, grid_map in zip(types_BC, levels_BL, maps, strict=True)
    ]


def _heatmaps(attention_BF: Tensor, grid: int) -> Sequence[Heatmap]:
    maps = attention_BF[:, : grid * grid].float().unflatten(1, (grid, grid)).tolist()
    return [tuple(tuple(row) for row in rows) for rows in maps]
