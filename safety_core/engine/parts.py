"""A batch that fails is tried again in parts, so that one request, or one moment, does not take its neighbours along.

Knows what an exception means, and nothing of what the work is.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from safety_core.errors import ExhaustedError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "failed to allocate", "alloc_failed")
"""How libraries say it in a plain RuntimeError: CUDA's, the CPU allocator's, cuBLAS's."""


def out_of_memory(exc: BaseException) -> bool:
    """Whether an exception says that memory ran out."""
    if isinstance(exc, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(exc, RuntimeError) and any(sign in str(exc).lower() for sign in _OUT_OF_MEMORY)


def in_parts(work: Callable[[Sequence[_Item]], Sequence[_Result]], items: Sequence[_Item]) -> list[_Result | Exception]:
    """Results of a batch, one for each item; what fails is tried once more in parts, which stand for themselves.

    Where memory ran out the parts are halves (a single item: itself, with memory freed), and ExhaustedError stands for
    what fails again. After any other exception every item is tried alone, and keeps the exception that it raises.

    Args:
        work: one result for each item, in order; it must leave nothing behind when it raises.
        items: the batch.
    """
    try:
        return list(work(items))
    except Exception as exc:  # its traceback would keep the batch's tensors alive while less is tried
        memory = out_of_memory(exc)
        if len(items) == 1 and not memory:
            return [exc]
    results: list[_Result | Exception] = []
    for part in _halves(items) if memory else [items[index : index + 1] for index in range(len(items))]:
        if memory:
            release_memory()
        try:
            results += work(part)
        except Exception as exc:
            results += [ExhaustedError("there was not enough memory") if out_of_memory(exc) else exc] * len(part)
    return results


def release_memory() -> None:
    """Give back what allocators keep."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _halves(items: Sequence[_Item]) -> list[Sequence[_Item]]:
    middle = (len(items) + 1) // 2
    return [part for part in (items[:middle], items[middle:]) if part]
