"""Requests whose body arrives in chunks, without a server."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from safety_core.errors import InputError
from service.ingress.body import BodyLimits

SMALL_BODY = BodyLimits(max_bytes=1000, max_file_bytes=400, max_files=2, timeout_s=20)
BOUNDARY = "edge"


def create_request(
    chunks: list[bytes], *, kind: str = f"multipart/form-data; boundary={BOUNDARY}", **headers: str
) -> Any:
    """A request whose ``taken`` attribute counts the chunks that were read."""
    raw = [(b"content-type", kind.encode()), *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items())]

    async def receive() -> dict[str, Any]:
        made.state.taken += 1
        if made.state.taken > len(chunks):
            await asyncio.sleep(60)
        return {
            "type": "http.request",
            "body": chunks[made.state.taken - 1],
            "more_body": made.state.taken < len(chunks),
        }

    made = Request({"type": "http", "method": "POST", "path": "/", "headers": raw, "state": {}}, receive)
    made.state.taken = 0
    return made


def catch_error_code(read: Callable[[], Any]) -> str:
    """Code of the error that reading raises."""
    with pytest.raises(InputError) as caught:
        asyncio.run(read())
    return caught.value.code
