"""Runs an asynchronous scenario against an engine with a fake guard."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.engine.serving.engine_config import EngineConfig
from safety_core.engine.serving.observer import EngineObserver
from tests.helpers.engine.fakes import FakeGuard, SilentObserver


def run_scenario(
    fake: FakeGuard,
    scenario: Callable[[AsyncGuard], Awaitable[None]],
    *,
    observer: EngineObserver | None = None,
    on_death: Callable[[], None] = lambda: None,
    **bounds: Any,
) -> None:
    """Run a scenario against an engine, and close the engine in any case."""
    config = EngineConfig(**{"verdict_timeout_s": 240, "reply_timeout_s": 240, "restart_pause_s": 0.01, **bounds})

    async def main() -> None:
        with ThreadPoolExecutor(2) as preparers:
            guard = AsyncGuard(
                fake, preparers=preparers, observer=observer or SilentObserver(), config=config, on_death=on_death
            )
            try:
                await scenario(guard)
            finally:
                fake.gate.set()
                fake.between.set()
                assert await guard.close(timeout_s=240)

    asyncio.run(main())
