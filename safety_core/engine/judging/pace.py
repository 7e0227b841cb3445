"""Chooses the size of the model's passes from measured durations, so that other work never waits for long."""

import torch


class Pace:
    """Chooses the size of the model's passes so that each takes about ``target_s``.

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
        """Number of views that go through tower and projector together; at least two if there are several threads."""
        least = min(2, torch.get_num_threads())
        return min(max(int(self._target_s / self._view_s), least), self._max_batch)

    @property
    def tokens(self) -> int:
        """Tokens that the head reads at once, including padding."""
        return max(int(self._target_s / self._token_s), 256)

    def record_views(self, views: int, seconds: float) -> None:
        """Record the duration of a pass of tower and projector."""
        self._view_s = _smooth(self._view_s, seconds / max(views, 1))

    def record_tokens(self, tokens: int, seconds: float) -> None:
        """Record the duration of a pass of the head."""
        self._token_s = _smooth(self._token_s, seconds / max(tokens, 1))


def _smooth(before: float, newest: float) -> float:
    """Update a running mean that is robust to single outliers, such as a first pass or a stalled machine."""
    return max(before + 0.2 * (min(newest, 4 * before) - before), 1e-9)
