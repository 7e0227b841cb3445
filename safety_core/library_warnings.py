"""Suppresses warnings of libraries, which are meant for developers. Standard library only."""

import logging
import os
import sys
import warnings

_OURS = r"(service|safety_core|__main__)(\.|$)"
_LOUD = ("accelerate", "bitsandbytes", "huggingface_hub", "peft", "torch", "transformers")
"""Libraries that log advice as warnings, some of them while they are imported."""


def suppress_library_warnings() -> None:
    """Show only errors of libraries, and all warnings of this project. Call this before the libraries are imported.

    Warnings that the user enabled (``python -W``, ``PYTHONWARNINGS``, ``TRANSFORMERS_VERBOSITY``) are shown.
    """
    if not sys.warnoptions:
        warnings.filterwarnings("ignore")
        warnings.filterwarnings("default", module=_OURS)
    # transformers sets the level of its logger when it is imported.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.ERROR)
