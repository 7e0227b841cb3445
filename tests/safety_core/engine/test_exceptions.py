"""Exceptions are told by type and place: messages of libraries may quote a user."""

import errno

import pytest
import torch

from safety_core.engine.exceptions import describe, is_out_of_memory
from safety_core.errors import NoVerdictError


@pytest.mark.parametrize(
    "exc",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:75] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
    ],
)
def test_a_want_of_memory_is_recognised_however_it_is_told(exc: BaseException) -> None:
    assert is_out_of_memory(exc)


@pytest.mark.parametrize(
    "exc",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        OSError(errno.ENOENT, "x"),
        ValueError("out of memory"),
    ],
)
def test_other_failures_are_not_taken_for_it(exc: BaseException) -> None:
    assert not is_out_of_memory(exc)


def test_a_description_has_the_type_and_the_innermost_place_but_not_the_message() -> None:
    def fail() -> None:
        raise NoVerdictError("SECRET")

    with pytest.raises(NoVerdictError) as caught:
        fail()
    line = fail.__code__.co_firstlineno + 1
    assert describe(caught.value) == f"NoVerdictError at test_exceptions.py:{line}"
    assert describe(KeyError("SECRET")) == "KeyError", "it was never raised, so there is no place"
