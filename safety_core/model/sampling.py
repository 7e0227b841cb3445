"""Chooses the next token of each row from its logits. Knows nothing of models.

Shapes: B rows · W vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from safety_core.errors import PromptError

MIN_TEMPERATURE = 1e-5
"""Temperatures below this value are greedy: they differ from 0 only by rounding. Below 1e-45 they *are* 0 in float32,
and a logit divided by 0 is infinite or NaN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Options of generation.

    Raises:
        PromptError: a value is out of range.
    """

    max_new_tokens: int = 256
    """Maximum number of tokens; the model's context may end a reply earlier."""

    temperature: float = 0.0
    """Values below ``MIN_TEMPERATURE`` select the most probable token."""

    top_p: float = 1.0
    """Total probability of the most probable tokens from which the next one is drawn."""

    seed: int | None = None
    """Seed of each row's random source; None for a random seed."""

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise PromptError("max_tokens must be positive", code="out_of_range", param="max_tokens")
        if not 0.0 <= self.temperature <= 100.0:
            raise PromptError("temperature must lie in [0, 100]", code="out_of_range", param="temperature")
        if not 0.0 < self.top_p <= 1.0:
            raise PromptError("top_p must lie in (0, 1]", code="out_of_range", param="top_p")

    @property
    def greedy(self) -> bool:
        """Whether the most probable token is selected, without randomness."""
        return self.temperature < MIN_TEMPERATURE


def choose_tokens(logits_BW: Tensor, samplings: Sequence[Sampling], draws: Sequence[torch.Generator]) -> list[int]:
    """Choose the next token of each row: the most probable one, or a draw from the nucleus (Holtzman et al., 2020).

    A draw uses one number of the row's own random source, so it does not depend on the other rows of the batch.
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
    """Find the token at which the cumulative probability of each row's nucleus passes the row's point in [0, 1)."""
    temperature_B1 = logits_BW.new_tensor([option.temperature for option in options])[:, None]
    top_p_B1 = logits_BW.new_tensor([option.top_p for option in options])[:, None]
    # Shifted first: with a low temperature, the logits could become infinite, and their differences NaN.
    probs_BW = ((logits_BW - logits_BW.amax(-1, keepdim=True)) / temperature_B1).softmax(-1)
    sorted_BW, order_BW = probs_BW.sort(descending=True, stable=True)
    outside_BW = sorted_BW.cumsum(-1) - sorted_BW >= top_p_B1
    outside_BW[:, 0] = False  # a top_p that is 0 in float32 still leaves the most probable token
    passed_BW = sorted_BW.masked_fill(outside_BW, 0.0).cumsum(-1)
    place_B = (passed_BW <= points_B.to(passed_BW)[:, None] * passed_BW[:, -1:]).sum(-1)
    # Because of rounding, the point may lie at the end, after all tokens of the nucleus.
    last_B = (sorted_BW.masked_fill(outside_BW, 0.0) > 0.0).sum(-1) - 1
    tokens: list[int] = order_BW.gather(-1, place_B.minimum(last_B)[:, None])[:, 0].tolist()
    return tokens


def create_random_source(seed: int | None) -> torch.Generator:
    """Create the random source of one row; a random seed if None."""
    source = torch.Generator()
    if seed is None:
        source.seed()
    else:
        source.manual_seed(seed)
    return source
