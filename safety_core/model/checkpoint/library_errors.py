"""Converts the errors of the libraries that read a checkpoint's files to one error of ours, and keeps them offline.

transformers, PEFT and safetensors validate little, so malformed files raise almost any exception.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from huggingface_hub import constants
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from safety_core.errors import CheckpointError

_MALFORMED = (
    *(OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError),
    *(SafetensorError, StrictDataclassError),
)
"""Exceptions that libraries raised for damaged files; ImportError is excluded, because it means a missing library."""

_offline_lock = threading.Lock()
_offline_users = 0
_offline_before = False


@contextmanager
def keep_offline() -> Iterator[None]:
    """Disable network requests of the hub's client, and of libraries that use it, in this process.

    Even for local files, the libraries request tags of a model, a list of templates and statistics. The context may be
    nested, and several threads may use it at once.
    """
    global _offline_users, _offline_before
    with _offline_lock:
        if _offline_users == 0:
            _offline_before = constants.HF_HUB_OFFLINE
            constants.HF_HUB_OFFLINE = True
        _offline_users += 1
    try:
        yield
    finally:
        with _offline_lock:
            _offline_users -= 1
            if _offline_users == 0:
                constants.HF_HUB_OFFLINE = _offline_before


@contextmanager
def convert_library_errors(message: str) -> Iterator[None]:
    """Convert a library's error to CheckpointError with this message and the error's name; our own errors pass.

    The network is disabled inside, see :func:`keep_offline`.
    """
    try:
        with keep_offline():
            yield
    except torch.OutOfMemoryError:
        raise
    except _MALFORMED as exc:
        raise CheckpointError(f"{message} ({type(exc).__name__})") from exc
