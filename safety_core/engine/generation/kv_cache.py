"""The KV cache of the running sequences: buffers in which each sequence has a row while it runs.

Row r of every buffer belongs to the r-th running sequence and holds its positions from 0 on. A joining sequence is
written in place; if one leaves, the last row moves into its place, and nothing else moves. Positions after the last one
of a row are never attended to, and their contents stay finite: a weight of zero times NaN would still be NaN. Knows no
requests.
Shapes: R rows of a step · T positions of a prefill · L positions that are read · H key-value heads · d width of a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

LENGTH_STEP = 16
"""Lengths are rounded up to multiples of this: buffers rarely grow, and attention kernels need aligned masks."""


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


class KVCache(Cache):
    """A cache that a language model of transformers updates, layer by layer, in each forward pass.

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
        """Number of rows, and of positions per row, that fit into the cache."""
        return self._shape

    @property
    def nbytes(self) -> int:
        """Bytes of all buffers."""
        return sum(buffer.nbytes for buffer in (*self._keys, *self._values) if buffer is not None)

    def make_room(self, rows: int, length: int) -> None:
        """Set the shape to ``rows`` rows of ``length`` positions; contents within the old and the new shape are kept.

        Each buffer is resized when it is next written.
        """
        self._shape = (rows, length)

    def clear(self) -> None:
        """Free all buffers."""
        self._keys = [None] * len(self._keys)
        self._values = [None] * len(self._values)
        self._shape, self._plan = (0, 0), None

    def begin_prefill(self, first: int) -> None:
        """Prepare for a forward pass that writes the first positions of row ``first`` and the rows after it."""
        self._plan = _Prefill(first)

    def begin_decode(self, first: int, lengths: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
        """Prepare for a forward pass that appends a position to row ``first`` and the rows after it.

        Args:
            first: index of the first row.
            lengths: positions that each of these rows holds so far.
            device: device of the model's inputs.

        Returns:
            position_ids_R1, and mask_R11L, which is True where a row may attend.
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
        """Write keys and values, both [R, H, T, d], of one layer; returns those for its attention."""
        plan = self._plan
        assert plan is not None, "a forward pass that was not prepared"
        keys_RLHd = self._keys[layer_idx] = self._resize(self._keys[layer_idx], key_states)
        values_RLHd = self._values[layer_idx] = self._resize(self._values[layer_idx], value_states)
        if isinstance(plan, _Prefill):
            rows = slice(plan.first, plan.first + len(key_states))
            length = key_states.shape[2]
            keys_RLHd[rows, :length] = key_states.transpose(1, 2)
            values_RLHd[rows, :length] = value_states.transpose(1, 2)
            # A prompt that failed after its prefill may have been longer, and not finite.
            keys_RLHd[rows, length:] = 0
            values_RLHd[rows, length:] = 0
            return key_states, value_states
        keys_RLHd[plan.rows_R, plan.positions_R] = key_states[:, :, 0]
        values_RLHd[plan.rows_R, plan.positions_R] = value_states[:, :, 0]
        read = (slice(plan.first, plan.last), slice(plan.longest))
        return keys_RLHd[read].transpose(1, 2), values_RLHd[read].transpose(1, 2)

    @torch.inference_mode()
    def remove(self, row: int, last: int) -> None:
        """Remove a row: the ``last`` row moves into its place, and the contents of the removed one are cleared."""
        for buffer in (*self._keys, *self._values):
            if buffer is None:
                continue
            if row != last:
                buffer[row] = buffer[last]
            buffer[last] = 0

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return zero, because every forward pass specifies positions explicitly."""
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """Return length and offset of the positions that a prefill attends to: its own."""
        return query_length, 0

    def _resize(self, buffer: Tensor | None, states: Tensor) -> Tensor:
        """Resize a buffer to the current shape, and keep its contents."""
        rows, length = self._shape
        if buffer is not None and buffer.shape[:2] == (rows, length):
            return buffer
        fitted = states.new_zeros(rows, length, states.shape[1], states.shape[3])
        if buffer is not None:
            rows, length = min(rows, len(buffer)), min(length, buffer.shape[1])
            fitted[:rows, :length] = buffer[:rows, :length]
        return fitted
