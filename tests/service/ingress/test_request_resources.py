"""Deadlines end what a request does."""

import asyncio
import time

import pytest

from safety_core.errors import DeadlineError
from service.ingress.request_resources import enforce_deadline, require_time

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_something_in_time_and_something_too_late() -> None:
    async with enforce_deadline(None), enforce_deadline(time.monotonic() + 60):
        pass
    with pytest.raises(DeadlineError):
        async with enforce_deadline(time.monotonic() + 0.01):
            await asyncio.sleep(60)


async def test_a_deadline_is_required_only_if_there_is_one() -> None:
    require_time(None)
    require_time(time.monotonic() + 60)
    with pytest.raises(DeadlineError):
        require_time(time.monotonic() - 1)
