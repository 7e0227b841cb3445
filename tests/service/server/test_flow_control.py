"""Unwanted input is discarded up to a limit, and no faster than the event loop can afford."""

import asyncio
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from service.server.flow_control import InputControl
from service.server.timeouts import ConnectionTimeouts, Phase, PhaseTimers

MEBIBYTE = 2**20


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def transport() -> Mock:
    made = Mock(spec=asyncio.Transport)
    made.is_closing.return_value = False
    return made


def test_discarding_pauses_the_connection_until_its_time_is_over(
    loop: asyncio.AbstractEventLoop, transport: Mock
) -> None:
    timers = PhaseTimers(loop, ConnectionTimeouts())
    control = InputControl(transport, timers)
    control.discard(MEBIBYTE)
    control.resume()
    assert control.is_paused, "nothing is read before the pause is over"
    transport.resume_reading.assert_not_called()
    timers.stop(Phase.DISCARD)
    control.resume()
    transport.resume_reading.assert_called_once()


def test_a_client_that_never_stops_sending_is_cut_off(loop: asyncio.AbstractEventLoop, transport: Mock) -> None:
    control = InputControl(transport, PhaseTimers(loop, ConnectionTimeouts()))
    for _ in range(32):
        control.discard(MEBIBYTE)
    transport.abort.assert_not_called()
    control.discard(1)
    transport.abort.assert_called_once()


def test_a_phase_keeps_its_first_timer_until_it_is_stopped(loop: asyncio.AbstractEventLoop) -> None:
    timers = PhaseTimers(loop, ConnectionTimeouts(header_timeout_s=0, send_timeout_s=0))
    ended: list[str] = []
    timers.start(Phase.HEAD, lambda: ended.append("head"))
    timers.start(Phase.HEAD, lambda: ended.append("a later byte"))
    timers.start(Phase.SEND, lambda: ended.append("send"))
    timers.stop(Phase.SEND, Phase.IDLE)

    async def wait() -> None:
        while not ended:
            await asyncio.sleep(0)

    loop.run_until_complete(wait())
    assert ended == ["head"]
    timers.stop_all()
    assert not timers.is_running(Phase.HEAD)
