"""Ready is who passed the last canary, has a living worker, and can do everything else that an answer needs."""

import asyncio
import logging

import pytest

from safety_core.engine.serving.async_guard import AsyncGuard
from service.errors import NotReadyError, UnauditedError
from service.readiness import Readiness
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.engine.requests import GUARD_REQUEST
from tests.helpers.engine.scenarios import run_scenario


async def wait_until_idle(guard: AsyncGuard) -> None:
    """Wait for the worker to finish its turn: a check while it is busy is skipped."""
    async with asyncio.timeout(240):
        while not guard.idle:
            await asyncio.sleep(0.001)


def test_readiness_follows_the_canary() -> None:
    fake = FakeGuard()

    async def scenario(guard: AsyncGuard) -> None:
        readiness = Readiness(guard, interval_s=0.005)
        with pytest.raises(NotReadyError):
            readiness.require()
        async with readiness.run_checks():
            readiness.require()
            fake.wrong = "the canary was allowed"
            while readiness.failure is None:
                await asyncio.sleep(0.001)
            fake.wrong = None
            while readiness.failure is not None:
                await asyncio.sleep(0.001)
        await guard.close(timeout_s=20)
        assert readiness.failure == "the worker is dead or stuck"

    run_scenario(fake, scenario)


def test_a_busy_worker_is_not_asked() -> None:
    fake = FakeGuard()

    async def scenario(guard: AsyncGuard) -> None:
        readiness = Readiness(guard, interval_s=60)
        await readiness.check()
        fake.gate.clear()
        running = asyncio.create_task(guard.assess(GUARD_REQUEST))
        while not fake.requests:
            await asyncio.sleep(0.001)
        fake.wrong = "would be heard"
        await readiness.check()
        readiness.require()
        fake.gate.set()
        await running

    run_scenario(fake, scenario)


def test_a_canary_that_cannot_run_is_no_readiness_and_quotes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeGuard()

    async def scenario(guard: AsyncGuard) -> None:
        readiness = Readiness(guard, interval_s=60)
        await readiness.check()
        fake.failure = RuntimeError("SECRET")
        await wait_until_idle(guard)
        await readiness.check()
        with pytest.raises(NotReadyError, match="could not run: RuntimeError"):
            readiness.require()
        fake.failure = None
        await wait_until_idle(guard)
        await readiness.check()
        readiness.require()

    with caplog.at_level(logging.INFO):
        run_scenario(fake, scenario)
    assert [record.levelname for record in caplog.records if "readiness" in record.message] == ["INFO", "ERROR", "INFO"]
    assert "SECRET" not in caplog.text


def test_a_restarted_worker_must_pass_the_canary_first() -> None:
    fake = FakeGuard()

    async def scenario(guard: AsyncGuard) -> None:
        readiness = Readiness(guard, interval_s=60)
        await readiness.check()
        fake.fault = SystemExit()
        await asyncio.gather(guard.assess(GUARD_REQUEST), return_exceptions=True)
        async with asyncio.timeout(240):
            while not (guard.deaths and guard.alive and guard.idle):
                await asyncio.sleep(0.001)
        assert readiness.failure == "the worker was restarted, and the canary has not run since"
        await readiness.check()
        readiness.require()

    run_scenario(fake, scenario)


def test_a_dead_worker_has_the_canary_asked_at_once() -> None:
    async def scenario(guard: AsyncGuard) -> None:
        died = asyncio.Event()
        readiness = Readiness(guard, interval_s=10_000, worker_died=died)
        async with readiness.run_checks():
            readiness._failure = "as before the death"
            died.set()
            async with asyncio.timeout(240):
                while readiness.failure is not None:
                    await asyncio.sleep(0.001)

    run_scenario(FakeGuard(), scenario)


def test_whatever_else_is_needed_is_asked_for_once_the_guard_is_ready() -> None:
    def fail() -> None:
        raise UnauditedError("the disk is full")

    async def scenario(guard: AsyncGuard) -> None:
        readiness = Readiness(guard, interval_s=60, require_others=fail)
        with pytest.raises(NotReadyError):
            readiness.require()
        await readiness.check()
        with pytest.raises(UnauditedError):
            readiness.require()

    run_scenario(FakeGuard(), scenario)
