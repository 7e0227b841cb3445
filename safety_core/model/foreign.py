"""The border to the libraries that read a checkpoint's files: whatever a malformed one makes them raise, as one error.

transformers, PEFT and safetensors check little of what they parse, so almost anything may come out of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from safety_core.errors import CheckpointError

_MALFORMED = (
    *(OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError),
    *(SafetensorError, StrictDataclassError),
)
"""Seen from damaged files, each of them; a missing library (ImportError) is none of a file's doing."""


@contextmanager
def as_checkpoint_error(complaint: str) -> Iterator[None]:
    """Raise CheckpointError with this complaint and the foreign error's name; our own errors pass as they are."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except _MALFORMED as exc:
        raise CheckpointError(f"{complaint} ({type(exc).__name__})") from exc
