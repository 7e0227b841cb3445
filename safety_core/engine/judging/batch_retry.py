"""A batch that fails is tried again in parts, so that one request, or one moment, does not take its neighbours along.

Knows what an exception means, and nothing of what the work is.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

import torch

from safety_core.engine import exceptions as faults
from safety_core.errors import ExhaustedError
from safety_core.heap import trim_heap

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Slice = TypeVar("_Slice")


def out_of_memory(exc: BaseException) -> bool:
    """Whether an exception says that memory ran out."""
    return isinstance(exc, torch.OutOfMemoryError) or faults.out_of_memory(exc)


def in_parts(work: Callable[[Sequence[_Item]], Sequence[_Result]], items: Sequence[_Item]) -> list[_Result | Exception]:
    """Results of a batch, one for each item; what fails is tried once more in parts, which stand for themselves.

    Where memory ran out the parts are halves (a single item: itself, with memory freed), and ExhaustedError stands for
    what fails again. After any other exception every item is tried alone, and keeps the exception that it raises.

    Args:
        work: one result for each item, in order; it must leave nothing behind when it raises.
        items: the batch.
    """

    def at_once(part: Sequence[_Item]) -> Generator[None, None, Sequence[_Result]]:
        yield from ()
        return work(part)

    return finished(in_parts_by_slices(at_once, items))


def in_parts_by_slices(
    work: Callable[[Sequence[_Item]], Generator[_Slice, None, Sequence[_Result]]], items: Sequence[_Item]
) -> Generator[_Slice, None, list[_Result | Exception]]:
    """Like :func:`in_parts`, for work that pauses between slices: yields what the work yields."""
    try:
        return list((yield from work(items)))
    except Exception as exc:  # its traceback would keep the batch's tensors alive while less is tried
        memory = out_of_memory(exc)
        if len(items) == 1 and not memory:
            return [exc]
    results: list[_Result | Exception] = []
    for part in _halves(items) if memory else _singles(items):
        if memory:
            release_memory()
        try:
            results += yield from work(part)
            continue
        except Exception as exc:
            if len(part) == 1 or out_of_memory(exc):
                results += [ExhaustedError("there was not enough memory") if out_of_memory(exc) else exc] * len(part)
                continue
        for single in _singles(part):  # half of a batch that memory ran out for, and one item of it breaks the work
            try:
                results += yield from work(single)
            except Exception as exc:
                results.append(ExhaustedError("there was not enough memory") if out_of_memory(exc) else exc)
    return results


def finished(work: Generator[object, None, _Result]) -> _Result:
    """Run work that pauses between slices to completion, without pausing."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: _Result = end.value
            return result


def release_memory() -> None:
    """Give back what allocators keep."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim_heap()


def _halves(items: Sequence[_Item]) -> list[Sequence[_Item]]:
    middle = (len(items) + 1) // 2
    return [part for part in (items[:middle], items[middle:]) if part]


def _singles(items: Sequence[_Item]) -> list[Sequence[_Item]]:
    return [items[index : index + 1] for index in range(len(items))]
