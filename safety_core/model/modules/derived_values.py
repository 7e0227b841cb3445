"""Values that depend on parameters alone: computed once for inference, and again after every change of a parameter."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class DerivedValue(Generic[T]):
    """A value computed from parameters; kept while inference mode is on and none of them changes.

    Training computes it every time, since autograd must see how. A copy of the owner starts without a value.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[Any, ...], T] | None = None

    def get(self, parameters: Sequence[Tensor], compute: Callable[[], T]) -> T:
        """The value for these parameters as they are now.

        Args:
            parameters: everything that ``compute`` reads.
            compute: makes the value.
        """
        # Tensors made in inference mode count no changes.
        if not torch.is_inference_mode_enabled() or any(one.is_inference() for one in parameters):
            return compute()
        key = tuple((one.data_ptr(), one._version, one.dtype, one.device) for one in parameters)
        kept = self._kept
        if kept is None or kept[0] != key:
            kept = (key, compute())
            self._kept = kept
        return kept[1]

    def __deepcopy__(self, memo: dict[int, Any]) -> "DerivedValue[T]":
        return type(self)()

    def __reduce__(self) -> tuple[type["DerivedValue[T]"], tuple[()]]:
        return type(self), ()


class DerivedViews(DerivedValue[T]):
    """A value that holds a view of each parameter and nothing computed from them.

    Views see changes in place, so only a parameter whose memory was replaced needs a new value. This check is cheaper
    than that of :class:`DerivedValue`. It is sound because the views keep the old memory alive: no new tensor can have
    its address.
    """

    def get(self, parameters: Sequence[Tensor], compute: Callable[[], T]) -> T:
        """The value for these parameters as they are now; arguments as of :meth:`DerivedValue.get`."""
        key = tuple(one.data_ptr() for one in parameters)
        kept = self._kept
        if kept is None or kept[0] != key:
            kept = (key, compute())
            self._kept = kept
        return kept[1]
