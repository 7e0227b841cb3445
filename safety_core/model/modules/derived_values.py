"""Caches values that depend only on parameters, for inference; recomputes them after every change of a parameter."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class DerivedValue(Generic[T]):
    """A value computed from parameters, cached in inference mode until one of them changes.

    Training recomputes it every time, for autograd. A copy of the owner starts without a cached value.
    """

    def __init__(self) -> None:
        self._cached: tuple[tuple[Any, ...], T] | None = None

    def get(self, parameters: Sequence[Tensor], compute: Callable[[], T]) -> T:
        """Return the value for the parameters' current content.

        Args:
            parameters: all parameters that ``compute`` reads.
            compute: computes the value.
        """
        # Tensors created in inference mode have no version counter.
        if not torch.is_inference_mode_enabled() or any(parameter.is_inference() for parameter in parameters):
            return compute()
        key = tuple(
            (parameter.data_ptr(), parameter._version, parameter.dtype, parameter.device) for parameter in parameters
        )
        cached = self._cached
        if cached is None or cached[0] != key:
            cached = (key, compute())
            self._cached = cached
        return cached[1]

    def __deepcopy__(self, memo: dict[int, Any]) -> "DerivedValue[T]":
        return type(self)()

    def __reduce__(self) -> tuple[type["DerivedValue[T]"], tuple[()]]:
        return type(self), ()


class DerivedViews(DerivedValue[T]):
    """A value that consists of views of parameters, without anything computed from them.

    Views see changes in place, so only a parameter whose memory was replaced needs a new value. This check is cheaper
    than that of :class:`DerivedValue`. It is sound because the views keep the old memory alive: no new tensor can have
    its address.
    """

    def get(self, parameters: Sequence[Tensor], compute: Callable[[], T]) -> T:
        """Return the value for the parameters' current content; arguments as of :meth:`DerivedValue.get`."""
        key = tuple(parameter.data_ptr() for parameter in parameters)
        cached = self._cached
        if cached is None or cached[0] != key:
            cached = (key, compute())
            self._cached = cached
        return cached[1]
