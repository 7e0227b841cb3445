"""Which job is next, and which request makes room for others."""

import pytest

from safety_core.errors import OverloadedError
from service.ingress.decode_queue import ClientWork, DecodeJob, DecodeQueue, JobGroup, QueuedJob

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def queued(number: int, cost: int, client: str = "", memory: int = 0) -> QueuedJob:
    job = DecodeJob(work=lambda check: None, cost=cost, memory=memory)
    return QueuedJob(job, JobGroup(client, None, cost), number)


async def test_the_cheapest_job_of_the_least_served_client_is_next_and_sometimes_the_oldest() -> None:
    queue = DecodeQueue(1000, ClientWork())
    for number, (cost, client) in enumerate([(50, "a"), (10, "a"), (20, "a"), (5, "b"), (30, "b")]):
        queue.add(queued(number, cost, client))
    numbers = []
    while (job := queue.pop(None)) is not None:
        numbers.append(job.number)
    assert numbers == [3, 1, 2, 0, 4]


async def test_a_job_that_needs_more_memory_than_there_is_stays_in_the_queue() -> None:
    queue = DecodeQueue(1000, ClientWork())
    queue.add(queued(0, 1, memory=10))
    assert queue.pop(9) is None
    assert len(queue) == 1
    assert queue.pop(10) is not None


async def test_the_most_expensive_request_of_the_client_with_the_most_work_is_displaced() -> None:
    queue = DecodeQueue(100, ClientWork())
    jobs = [queued(0, 20, "a"), queued(1, 60, "a"), queued(2, 20, "b")]
    for job in jobs:
        queue.add(job)
    new = queued(3, 10, "c")
    displaced = queue.find_displaced([new], "c")
    assert displaced is jobs[1].group
    queue.remove_group(displaced, OverloadedError("full"))
    assert queue.find_displaced([new], "c") is None
    assert isinstance(jobs[1].result.exception(), OverloadedError)
    with pytest.raises(OverloadedError):
        queue.find_displaced([queued(4, 100, "c")], "c")
