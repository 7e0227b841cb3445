"""Bodies are judged while they arrive: what is too much is never read to its end."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from safety_core.errors import InputError, OverloadedError
from service.ingress.body import BodyLimits, get_media_type, read_body
from service.ingress.memory_budget import MemoryBudget
from tests.helpers.requests.request_bodies import SMALL_BODY, catch_error_code, create_request


def test_a_declared_length_is_refused_before_any_byte() -> None:
    made = create_request([b"x"], content_length="1001")
    assert catch_error_code(lambda: read_body(made, SMALL_BODY)) == "body_too_large"
    assert made.state.taken == 0


def test_a_slow_client_has_a_deadline() -> None:
    limits = BodyLimits(max_bytes=1000, max_file_bytes=400, max_files=2, timeout_s=0.01)

    async def stalled() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    made = Request(create_request([]).scope, stalled)
    assert catch_error_code(lambda: read_body(made, limits)) == "body_timeout"


def test_the_media_type_is_read_without_its_parameters() -> None:
    assert get_media_type(create_request([], kind="Application/JSON; charset=utf-8")) == "application/json"
    assert get_media_type(Request({"type": "http", "headers": []})) == ""


def test_bytes_are_counted_as_they_arrive_and_refused_where_there_is_no_room() -> None:
    budget = MemoryBudget(900)
    with budget.reserve("other") as other, budget.reserve("this") as memory:
        other.grow(500)
        made = create_request([b"x" * 100] * 8)
        with pytest.raises(OverloadedError):
            asyncio.run(read_body(made, SMALL_BODY, memory))
        assert (made.state.taken, memory.size) == (5, 400)
        other.close()
        assert len(asyncio.run(read_body(create_request([b"x" * 100] * 2), SMALL_BODY, memory))) == 200


def test_a_body_that_stalls_makes_room_for_one_that_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.ingress.memory_budget.STALLED_AFTER_S", 0.0)
    budget = MemoryBudget(1000)

    async def both() -> tuple[str, int]:
        came = asyncio.Event()

        async def stalled() -> dict[str, Any]:
            if came.is_set():
                await asyncio.sleep(60)
            came.set()
            return {"type": "http.request", "body": b"x" * 700, "more_body": True}

        with budget.reserve("hog") as held, budget.reserve("plain") as memory:
            upload = asyncio.create_task(read_body(Request(create_request([]).scope, stalled), SMALL_BODY, held))
            await came.wait()
            while not held.size:
                await asyncio.sleep(0)
            body = await read_body(create_request([b"x" * 600]), SMALL_BODY, memory)
            with pytest.raises(InputError) as caught:
                await upload
            return caught.value.code, len(body)

    assert asyncio.run(both()) == ("body_timeout", 600)
    assert budget.used == 0
