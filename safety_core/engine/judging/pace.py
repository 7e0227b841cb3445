"""Sizes passes of the model by measured durations, so that other work is never held up for long."""

import torch


class Pace:
    """Sizes passes of the model to take about ``target_s``, from measured durations.

    Args:
        max_batch: maximum number of views that go through the tower together.
        target_s: intended duration of a pass in seconds.
    """

    def __init__(self, *, max_batch: int, target_s: float = 0.02) -> None:
        self._max_batch = max_batch
        self._target_s = target_s
        self._view_s = 0.02
        self._token_s = 3e-5

    @property
    def views(self) -> int:
        """Views that go through tower and projector together; at least two if several threads share them."""
        least = min(2, torch.get_num_threads())
        return min(max(int(self._target_s / self._view_s), least), self._max_batch)

    @property
    def tokens(self) -> int:
        """Tokens that the head reads at once, including padding."""
        return max(int(self._target_s / self._token_s), 256)

    def record_views(self, views: int, seconds: float) -> None:
        """Record how long a pass of tower and projector took."""
        self._view_s = _smooth(self._view_s, seconds / max(views, 1))

    def record_tokens(self, tokens: int, seconds: float) -> None:
        """Record how long a pass of the head took."""
        self._token_s = _smooth(self._token_s, seconds / max(tokens, 1))


def _smooth(before: float, newest: float) -> float:
    """A running mean that is robust to single outliers, such as a first pass or a stalled machine."""
    return max(before + 0.2 * (min(newest, 4 * before) - before), 1e-9)
