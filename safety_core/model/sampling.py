"""How the next token is chosen from each row's logits. Knows nothing of models.

Shapes: B rows · W vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from safety_core.errors import PromptError

MIN_TEMPERATURE = 1e-5
"""Temperatures below it are greedy: they differ from 0 only in rounding. Below 1e-45 they *are* 0 in float32, and a
logit divided by them would be infinite or NaN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen.

    Raises:
        PromptError: a value is out of range.
    """

    max_new_tokens: int = 256
    """Most tokens to make; fewer where the model's context ends earlier."""

    temperature: float = 0.0
    """0, or anything below ``MIN_TEMPERATURE``, takes the most probable token."""

    top_p: float = 1.0
    """Draw only from the most probable tokens that together reach this probability."""

    seed: int | None = None
    """Seed of every row's own random source; None draws a fresh one."""

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise PromptError("max_tokens must be positive", code="out_of_range", param="max_tokens")
        if not 0.0 <= self.temperature <= 100.0:
            raise PromptError("temperature must lie in [0, 100]", code="out_of_range", param="temperature")
        if not 0.0 < self.top_p <= 1.0:
            raise PromptError("top_p must lie in (0, 1]", code="out_of_range", param="top_p")

    @property
    def greedy(self) -> bool:
        """Whether the most probable token is taken, without a draw."""
        return self.temperature < MIN_TEMPERATURE


def choose_tokens(logits_BW: Tensor, samplings: Sequence[Sampling], draws: Sequence[torch.Generator]) -> list[int]:
    """The next token of each row: the most probable one, or a draw from the nucleus (Holtzman et al., 2020).

    A row's draw takes one number from its own random source, so it does not depend on who else is in the batch.
    """
    chosen: list[int] = logits_BW.argmax(-1).tolist()
    drawn = [row for row, sampling in enumerate(samplings) if not sampling.greedy]
    if drawn:
        points = [torch.rand((), generator=draws[row]) for row in drawn]
        options = [samplings[row] for row in drawn]
        for row, token in zip(drawn, _draw(logits_BW[drawn].float(), options, torch.stack(points)), strict=True):
            chosen[row] = token
    return chosen


def _draw(logits_BW: Tensor, options: Sequence[Sampling], points_B: Tensor) -> list[int]:
    """The token at which each row's nucleus, laid out by probability, passes that point of [0, 1)."""
    temperature_B1 = logits_BW.new_tensor([option.temperature for option in options])[:, None]
    top_p_B1 = logits_BW.new_tensor([option.top_p for option in options])[:, None]
    # Shifted first: a low temperature would otherwise make infinities of the logits and NaN of their difference.
    probs_BW = ((logits_BW - logits_BW.amax(-1, keepdim=True)) / temperature_B1).softmax(-1)
    sorted_BW, order_BW = probs_BW.sort(descending=True, stable=True)
    outside_BW = sorted_BW.cumsum(-1) - sorted_BW >= top_p_B1
    outside_BW[:, 0] = False  # a top_p that is 0 in float32 still leaves the most probable token
    passed_BW = sorted_BW.masked_fill(outside_BW, 0.0).cumsum(-1)
    place_B = (passed_BW <= points_B.to(passed_BW)[:, None] * passed_BW[:, -1:]).sum(-1)
    # Rounding may put the point at the very end, where only tokens outside the nucleus, or banned ones, are left.
    last_B = (sorted_BW.masked_fill(outside_BW, 0.0) > 0.0).sum(-1) - 1
    tokens: list[int] = order_BW.gather(-1, place_B.minimum(last_B)[:, None])[:, 0].tolist()
    return tokens


def create_random_source(seed: int | None) -> torch.Generator:
    """A random source of its own for each row, so that a draw does not depend on the neighbours."""
    source = torch.Generator()
    if seed is None:
        source.seed()
    else:
        source.manual_seed(seed)
    return source
