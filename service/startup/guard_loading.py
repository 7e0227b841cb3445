"""Loads the guard that the settings select: of the configured checkpoint, or of the fallback, if the settings name one.

The fallback is taken only where nothing but the backbone of the configured checkpoint is missing. A damaged, untrained
or unreadable checkpoint always ends the start.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from safety_core.engine.guard_info import Fallback
from safety_core.engine.protocols import GuardLike
from safety_core.errors import MissingBackboneError
from service.settings import Settings

_logger = logging.getLogger(__name__)

_Loaded = TypeVar("_Loaded")


def load_configured_guard(settings: Settings) -> GuardLike:
    """Load the guard that the settings select; log a warning if it is that of the fallback checkpoint.

    Raises:
        MissingBackboneError: the backbone was never fetched, and the settings name no fallback.
        SafeVLMError: the checkpoint, the fallback or the device cannot serve.
    """
    if settings.allows_untrained:
        _logger.warning("untrained safety modules are accepted: this server may not protect anything")
    if settings.playground_compare:
        _logger.warning("the playground also shows replies that are not guarded, to browsers on this machine")
    try:
        return _load(settings, settings.checkpoint)
    except MissingBackboneError as exc:
        if settings.fallback_checkpoint is None:
            raise
        problem = str(exc)
    wanted, served = settings.checkpoint.resolve().name, settings.fallback_checkpoint.resolve().name
    _logger.warning("%s, and restart the server; until then, %s is served instead of %s", problem, served, wanted)
    # For clients, without the path in the error's message.
    command = "To bring it, run: safevlm parts fetch. Then restart the server."
    fallback = Fallback(wanted=wanted, reason=f"The backbone of {wanted} was never fetched. {command}")
    return _load(settings, settings.fallback_checkpoint, fallback)


def _load(settings: Settings, checkpoint: Path, fallback: Fallback | None = None) -> GuardLike:
    from safety_core.engine.load import load_guard  # imports torch, which takes seconds

    return run_in_temporary_thread(
        lambda: load_guard(
            checkpoint,
            device=settings.device,
            dtype=settings.dtype,
            quantize=settings.quantize,
            allow_untrained=settings.allows_untrained,
            limits=settings.guard_limits,
            read_pictures=settings.read_pictures,
            fallback=fallback,
            judge_only=settings.mode == "guard",
            compare=settings.playground_compare,
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
