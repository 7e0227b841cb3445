"""The border to the libraries that read a checkpoint's files: whatever a malformed one makes them raise, as one error.

transformers, PEFT and safetensors check little of what they parse, so almost anything may come out of them.
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
"""Seen from damaged files, each of them; a missing library (ImportError) is none of a file's doing."""

_offline_lock = threading.Lock()
_offline_users = 0
_offline_before = False


@contextmanager
def keep_offline() -> Iterator[None]:
    """Keep the hub's client, and the libraries that ask through it, off the network in this process.

    They request more than the files that they are told to read: tags of a model, a list of templates, statistics. Local
    files are read without these requests. May be nested, and used by several threads at once.
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
def convert_library_errors(complaint: str) -> Iterator[None]:
    """Raise CheckpointError with this message and the foreign error's name; our own errors pass unchanged.

    Nothing within uses the network, see :func:`keep_offline`.
    """
    try:
        with keep_offline():
            yield
    except torch.OutOfMemoryError:
        raise
    except _MALFORMED as exc:
        raise CheckpointError(f"{complaint} ({type(exc).__name__})") from exc
