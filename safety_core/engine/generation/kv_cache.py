"""Keys and values of the replies that are being made: buffers whose rows replies join and leave.

Row r of every buffer belongs to the r-th running reply and holds its positions from 0 on. A reply that joins is written
in place; where one leaves, the last row takes its place, and nothing else moves. Behind a row's last position nothing
is ever attended to, and what lies there stays finite: a weight of zero times NaN would still be NaN. Knows no requests.
Shapes: R rows of a step · T positions of a prefill · L positions that are read · H key-value heads · d width of a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

LENGTH_STEP = 16
"""Lengths are rounded up to multiples of it: buffers then grow seldom, and attention kernels want aligned masks."""


@dataclass(frozen=True, slots=True)
class _Prefill:
    """The forward pass writes the first positions of rows [first, first + batch)."""

    first: int


@dataclass(frozen=True, slots=True)
class _Decode:
    """The forward pass writes one position of each row in [first, last)."""

    first: int
    last: int
    longest: int
    rows_R: Tensor
    positions_R: Tensor


class SlotCache(Cache):
    """What a language model of transformers updates, layer by layer, while it runs.

    Args:
        num_layers: layers of the language model.
    """

    def __init__(self, num_layers: int) -> None:
        super().__init__(layers=[])
        self._keys: list[Tensor | None] = [None] * num_layers
        self._values: list[Tensor | None] = [None] * num_layers
        self._shape = (0, 0)
        self._plan: _Prefill | _Decode | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and positions of each, that there is room for."""
        return self._shape

    @property
    def nbytes(self) -> int:
        """Bytes that the buffers take."""
        return sum(buffer.nbytes for buffer in (*self._keys, *self._values) if buffer is not None)

    def make_room(self, rows: int, length: int) -> None:
        """Have room for ``rows`` rows of ``length`` positions; what rows within both shapes hold stays.

        The buffers follow when they are written next.
        """
        self._shape = (rows, length)

    def clear(self) -> None:
        """Free all buffers."""
        self._keys = [None] * len(self._keys)
        self._values = [None] * len(self._values)
        self._shape, self._plan = (0, 0), None

    def before_prefill(self, first: int) -> None:
        """Announce a forward pass that writes the first positions of row ``first`` and those behind it."""
        self._plan = _Prefill(first)

    def before_decode(self, first: int, lengths: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
        """Announce a forward pass that appends a position to row ``first`` and those behind it.

        Args:
            first: the first of the rows.
            lengths: positions that each of them holds so far.
            device: of the model's inputs.

        Returns:
            position_ids_R1, and mask_R11L: True where a row may look.
        """
        longest = min(-(-(max(lengths) + 1) // LENGTH_STEP) * LENGTH_STEP, self._shape[1])
        positions_R = torch.tensor(lengths, device=device)
        rows_R = torch.arange(first, first + len(lengths), device=device)
        self._plan = _Decode(first, first + len(lengths), longest, rows_R, positions_R)
        mask_RL = torch.arange(longest, device=device) <= positions_R[:, None]
        return positions_R[:, None], mask_RL[:, None, None, :]

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write keys and values, both [R, H, T, d], of one layer, and return all that its attention reads."""
        plan = self._plan
        assert plan is not None, "a forward pass that nobody announced"
        keys_RLHd = self._keys[layer_idx] = self._fitted(self._keys[layer_idx], key_states)
        values_RLHd = self._values[layer_idx] = self._fitted(self._values[layer_idx], value_states)
        if isinstance(plan, _Prefill):
            rows = slice(plan.first, plan.first + len(key_states))
            length = key_states.shape[2]
            keys_RLHd[rows, :length] = key_states.transpose(1, 2)
            values_RLHd[rows, :length] = value_states.transpose(1, 2)
            # A prompt that was read and then failed may have been longer, and not finite.
            keys_RLHd[rows, length:] = 0
            values_RLHd[rows, length:] = 0
            return key_states, value_states
        keys_RLHd[plan.rows_R, plan.positions_R] = key_states[:, :, 0]
        values_RLHd[plan.rows_R, plan.positions_R] = value_states[:, :, 0]
        read = (slice(plan.first, plan.last), slice(plan.longest))
        return keys_RLHd[read].transpose(1, 2), values_RLHd[read].transpose(1, 2)

    @torch.inference_mode()
    def remove(self, row: int, last: int) -> None:
        """Take a row out: the ``last`` one moves into its place, and nothing of the removed one stays."""
        for buffer in (*self._keys, *self._values):
            if buffer is None:
                continue
            if row != last:
                buffer[row] = buffer[last]
            buffer[last] = 0

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Zero: positions are given with every forward pass."""
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """Length and offset of what a prefill attends to: itself."""
        return query_length, 0

    def _fitted(self, buffer: Tensor | None, states: Tensor) -> Tensor:
        """The buffer in the shape that is wanted now, with what it held."""
        rows, length = self._shape
        if buffer is not None and buffer.shape[:2] == (rows, length):
            return buffer
        fitted = states.new_zeros(rows, length, states.shape[1], states.shape[3])
        if buffer is not None:
            rows, length = min(rows, len(buffer)), min(length, buffer.shape[1])
            fitted[:rows, :length] = buffer[:rows, :length]
        return fitted
