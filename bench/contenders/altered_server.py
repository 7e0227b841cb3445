"""``python -m bench.contenders.altered_server``: our own server with an altered guard, for measurements only.

``--unguarded`` judges nothing: only vision tower and language model run, with the same HTTP, queues and batching.
``--endless`` generates exactly the requested number of visible tokens in every reply.
"""

from typing import Annotated

import typer
import uvicorn

from bench.contenders.altered_guards import EndlessGuard, UnguardedGuard
from safety_core.engine.load import load_guard
from safety_core.engine.protocols import GuardLike
from service.app import create_app
from service.settings import Settings
from service.settings.environment import read_settings
from service.startup.guard_loading import run_in_temporary_thread


def main(
    unguarded: Annotated[bool, typer.Option(help="Judge nothing.")] = False,
    endless: Annotated[bool, typer.Option(help="Generate the requested number of tokens in every reply.")] = False,
) -> None:
    """Run the server with the settings of ``SAFEVLM_*``."""
    settings = read_settings()
    guard = run_in_temporary_thread(lambda: load_altered_guard(settings, unguarded=unguarded, endless=endless))
    config = uvicorn.Config(
        create_app(settings, guard), host=settings.host, port=settings.port, log_config=None, access_log=False
    )
    uvicorn.Server(config).run()


def load_altered_guard(settings: Settings, *, unguarded: bool, endless: bool) -> GuardLike:
    """Load the guard of the settings and alter it."""
    guard = load_guard(
        settings.checkpoint,
        device=settings.device,
        dtype=settings.dtype,
        quantize=settings.quantize,
        allow_untrained=settings.allows_untrained,
        limits=settings.guard_limits,
        read_pictures=settings.read_pictures,
    )
    judging: GuardLike = UnguardedGuard(guard) if unguarded else guard
    return EndlessGuard(judging, guard) if endless else judging


if __name__ == "__main__":
    typer.run(main)
