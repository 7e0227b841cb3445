"""Retries a failed batch in smaller parts, so that one bad request does not fail the others.

Knows the meaning of exceptions, but not the kind of work.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

import torch

from safety_core.engine import exceptions
from safety_core.errors import ExhaustedError
from safety_core.heap import trim_heap

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Slice = TypeVar("_Slice")


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether an exception means that memory ran out, on a GPU or elsewhere."""
    return isinstance(exc, torch.OutOfMemoryError) or exceptions.is_out_of_memory(exc)


def retry_in_parts(
    work: Callable[[Sequence[_Item]], Sequence[_Result]], items: Sequence[_Item]
) -> list[_Result | Exception]:
    """Process a batch; after a failure, retry it once in smaller parts, which fail independently.

    After an out-of-memory error the parts are halves (a single item is retried after memory was freed), and a part that
    fails again yields ExhaustedError. After any other exception, every item is retried separately and yields its own
    result or exception.

    Args:
        work: returns one result for each item, in order; must have no effect if it raises.
        items: the batch.

    Returns:
        For each item, its result or the exception that it failed with.
    """

    def run_without_pauses(part: Sequence[_Item]) -> Generator[None, None, Sequence[_Result]]:
        yield from ()
        return work(part)

    return run_to_end(retry_slices_in_parts(run_without_pauses, items))


def retry_slices_in_parts(
    work: Callable[[Sequence[_Item]], Generator[_Slice, None, Sequence[_Result]]], items: Sequence[_Item]
) -> Generator[_Slice, None, list[_Result | Exception]]:
    """:func:`retry_in_parts` for work that pauses between slices; yields the values that the work yields."""
    try:
        return list((yield from work(items)))
    except Exception as exc:  # the traceback would keep the batch's tensors alive during the retries
        memory = is_out_of_memory(exc)
        if len(items) == 1 and not memory:
            return [exc]
    results: list[_Result | Exception] = []
    for part in _split_in_halves(items) if memory else _split_in_singles(items):
        if memory:
            release_memory()
        try:
            results += yield from work(part)
            continue
        except Exception as exc:
            if len(part) == 1 or is_out_of_memory(exc):
                results += [_replace_memory_error(exc)] * len(part)
                continue
        for single in _split_in_singles(part):  # an item of this half fails for a reason other than memory
            try:
                results += yield from work(single)
            except Exception as exc:
                results.append(_replace_memory_error(exc))
    return results


def run_to_end(work: Generator[object, None, _Result]) -> _Result:
    """Run work that pauses between slices to completion, without pausing; returns its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: _Result = end.value
            return result


def release_memory() -> None:
    """Return memory that allocators keep cached to the device and the system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim_heap()


def _replace_memory_error(exc: Exception) -> Exception:
    return ExhaustedError("there was not enough memory") if is_out_of_memory(exc) else exc


def _split_in_halves(items: Sequence[_Item]) -> list[Sequence[_Item]]:
    middle = (len(items) + 1) // 2
    return [part for part in (items[:middle], items[middle:]) if part]


def _split_in_singles(items: Sequence[_Item]) -> list[Sequence[_Item]]:
    return [items[index : index + 1] for index in range(len(items))]
