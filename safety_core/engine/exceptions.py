"""Classifies and describes exceptions without their messages, because messages of other libraries may quote a user."""

import errno
import traceback

_MEMORY_MESSAGES = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate",
    "alloc_failed",
    "bad_alloc",
    "can't start new thread",
)
"""Messages of plain RuntimeErrors about missing memory: CUDA, the CPU allocator, cuBLAS, C++ and Python's threads."""


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether an exception means that memory ran out, or that a thread could not be started."""
    if isinstance(exc, MemoryError) or (isinstance(exc, OSError) and exc.errno == errno.ENOMEM):
        return True
    return isinstance(exc, RuntimeError) and any(sign in str(exc).lower() for sign in _MEMORY_MESSAGES)


def describe(exc: BaseException) -> str:
    """Return type and place of an exception, e.g. ``RuntimeError at guard.py:120``; never its message."""
    frames = traceback.extract_tb(exc.__traceback__)
    place = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(exc).__name__}{place}"
