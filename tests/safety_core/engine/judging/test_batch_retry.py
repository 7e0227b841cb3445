"""What happens to a batch that fails: halves for want of memory, one by one after anything else."""

import errno
from collections.abc import Generator, Sequence

import pytest
import torch

from safety_core.engine.judging.batch_retry import is_out_of_memory, retry_in_parts, retry_slices_in_parts
from safety_core.errors import ExhaustedError


class Work:
    """Doubles numbers, as long as the batch is not too large and holds nothing poisonous."""

    def __init__(self, *, room: int = 100, poison: int | None = None) -> None:
        self.room = room
        self.poison = poison
        self.batches: list[list[int]] = []

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        if len(items) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if self.poison in items:
            raise ValueError("poison")
        return [2 * item for item in items]


def test_a_batch_that_fits_is_worked_on_once() -> None:
    work = Work()
    assert retry_in_parts(work, [1, 2, 3]) == [2, 4, 6]
    assert work.batches == [[1, 2, 3]]


def test_for_want_of_memory_halves_are_tried_once() -> None:
    work = Work(room=2)
    assert retry_in_parts(work, [1, 2, 3]) == [2, 4, 6]
    assert work.batches == [[1, 2, 3], [1, 2], [3]]


def test_what_does_not_fit_then_is_exhausted_and_the_rest_is_done() -> None:
    work = Work(room=1)
    first, second, third = retry_in_parts(work, [1, 2, 3])
    assert isinstance(first, ExhaustedError)
    assert isinstance(second, ExhaustedError)
    assert third == 6
    assert len(work.batches) == 3


def test_a_single_item_is_tried_twice() -> None:
    work = Work(room=0)
    (outcome,) = retry_in_parts(work, [1])
    assert isinstance(outcome, ExhaustedError)
    assert work.batches == [[1], [1]]


def test_after_any_other_exception_each_item_stands_for_itself() -> None:
    work = Work(poison=2)
    first, second, third = retry_in_parts(work, [1, 2, 3])
    assert (first, third) == (2, 6)
    assert isinstance(second, ValueError)
    assert work.batches == [[1, 2, 3], [1], [2], [3]]


def test_a_single_item_that_fails_is_not_tried_again() -> None:
    work = Work(poison=2)
    (outcome,) = retry_in_parts(work, [2])
    assert isinstance(outcome, ValueError)
    assert work.batches == [[2]]


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("can't start new thread"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOENT, "No such file"), False),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_how_libraries_say_that_memory_ran_out(exc: Exception, expected: bool) -> None:
    assert is_out_of_memory(exc) is expected


def test_the_cpu_allocator_says_it_in_words_that_are_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_in_the_half_that_fits_one_poisonous_item_stands_for_itself() -> None:
    work = Work(room=2, poison=1)
    first, second, third = retry_in_parts(work, [1, 2, 3])
    assert isinstance(first, ValueError)
    assert (second, third) == (4, 6)


def test_what_pauses_between_slices_is_tried_again_in_parts_too() -> None:
    work = Work(poison=2)

    def slices(items: Sequence[int]) -> Generator[str, None, list[int]]:
        yield f"began {len(items)}"
        return work(items)

    paused = retry_slices_in_parts(slices, [1, 2, 3])
    told: list[str] = []
    while True:
        try:
            told.append(next(paused))
        except StopIteration as end:
            first, second, third = end.value
            break
    assert told == ["began 3", *["began 1"] * 3]
    assert (first, third) == (2, 6)
    assert isinstance(second, ValueError)
