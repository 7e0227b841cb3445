"""Loads the guard that the settings select."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from safety_core.engine.protocols import GuardLike
from service.settings import Settings

_logger = logging.getLogger(__name__)

_Loaded = TypeVar("_Loaded")


def load_configured_guard(settings: Settings) -> GuardLike:
    """Load the guard that the settings select.

    Raises:
        SafeVLMError: the checkpoint or the device cannot serve.
    """
    from safety_core.engine.load import load_guard  # imports torch, which takes seconds

    if settings.allows_untrained:
        _logger.warning("untrained safety modules are accepted: this server may not protect anything")
    return run_in_temporary_thread(
        lambda: load_guard(
            settings.checkpoint,
            device=settings.device,
            dtype=settings.dtype,
            quantize=settings.quantize,
            allow_untrained=settings.allows_untrained,
            limits=settings.guard_limits,
            read_pictures=settings.read_pictures,
        )
    )


def run_in_temporary_thread(load: Callable[[], _Loaded]) -> _Loaded:
    """Load a model in a thread that ends afterwards.

    torch starts helper threads for every thread that computes. The helper threads of two such threads compete for the
    same cores and put each other to sleep at every step, which doubles the time of a judgement. Only the worker's
    thread may have helper threads.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="load") as executor:
        return executor.submit(load).result()
