"""Reads request bodies: bytes are counted as they arrive, and a slow client has a deadline."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request
from python_multipart.multipart import parse_options_header

from safety_core.errors import ImageError, InputError
from service.ingress.memory_budget import MemoryReservation

JSON = "application/json"

_CHARSETS = frozenset(
    {
        "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be",
        "iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-9", "iso-8859-15", "latin1", "windows-1250",
        "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1256", "koi8-r", "shift_jis",
        "euc-jp", "iso-2022-jp", "gbk", "gb2312", "gb18030", "big5", "euc-kr",
    }
)  # fmt: skip
"""Accepted text encodings; Python's codec registry also contains codecs that are not text encodings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """Limits on reading one body."""

    max_bytes: int
    """Bytes of the whole body."""

    max_file_bytes: int
    """Bytes of one file part."""

    max_files: int
    """File parts."""

    timeout_s: float
    """Seconds from the first to the last byte."""


def get_media_type(request: Request) -> str:
    """Get the media type of the body, without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON: ``application/json``, and types with the suffix ``+json`` (RFC 6839)."""
    return media_type in (JSON, "text/json") or (media_type.startswith("application/") and media_type.endswith("+json"))


def parse_charset(header: str | None) -> str | None:
    """Parse the ``charset`` of a ``Content-Type``; None if it has none.

    Raises:
        InputError: ``invalid_field``, the encoding is unknown.
    """
    value = parse_options_header(header)[1].get(b"charset", b"").decode("latin-1").strip().lower()
    if value and value not in _CHARSETS:
        raise InputError("The charset is not supported; send UTF-8.", code="invalid_field")
    return value or None


async def read_body(request: Request, limits: BodyLimits, memory: MemoryReservation | None = None) -> bytearray:
    """Read the whole body.

    Args:
        request: the request.
        limits: limits on the size and duration of its body.
        memory: counts its bytes.

    Raises:
        InputError: ``body_too_large``, as soon as the limit is exceeded; ``body_timeout``.
        OverloadedError: the memory budget is used up.
    """
    body = bytearray()
    async for chunk in read_chunks(request, limits, memory):
        body += chunk
    return body


async def read_chunks(request: Request, limits: BodyLimits, memory: MemoryReservation | None) -> AsyncIterator[bytes]:
    """Yield the body as it arrives; arguments and errors are those of :func:`read_body`."""
    too_large = InputError(f"The body is larger than {limits.max_bytes} bytes.", code="body_too_large")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.max_bytes:
        raise too_large
    received = 0
    stream = request.stream()
    loop = asyncio.get_running_loop()
    timeout = asyncio.timeout_at(deadline := loop.time() + limits.timeout_s)

    def evict() -> None:
        timeout.reschedule(loop.time())

    try:
        while True:
            try:
                async with timeout:
                    if memory is not None:
                        memory.begin_upload(evict)
                    chunk = await anext(stream, None)
            except TimeoutError as exc:
                raise InputError("The body took too long to arrive.", code="body_timeout") from exc
            timeout = asyncio.timeout_at(deadline)
            if chunk is None:
                return
            received += len(chunk)
            if received > limits.max_bytes:
                raise too_large
            if memory is not None:
                memory.add_received(len(chunk))
            yield chunk
    finally:
        if memory is not None:
            memory.end_upload()


def create_image_count_error(limit: int, *, param: str = "image") -> ImageError:
    """Create the error for a request with more than ``limit`` images.

    Args:
        limit: number of accepted images.
        param: field of the first image above it.
    """
    return ImageError(f"At most {limit} images are accepted.", code="too_many_images", param=param)
