"""Reading bodies: bytes are counted as they arrive, files stay in memory, and a slow client has a deadline.

The multipart reader is our own use of python-multipart because the web framework's writes larger files to disk, and a
client's picture has no business there.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from safety_core.errors import ImageError, InputError
from service.memory import Holding

MULTIPART = "multipart/form-data"
JSON = "application/json"

_MAX_FIELDS = 16
_MAX_TEXT_BYTES = 1024 * 1024
_MAX_HEAD_BYTES = 8 * 1024
"""Of one part. The parser goes through a head byte by byte, in the event loop; a part's data it does not."""


@dataclass(slots=True)
class Form:
    """The parts of a multipart body."""

    texts: dict[str, str] = field(default_factory=dict)
    """Text fields by name."""

    files: list[tuple[str, bytes]] = field(default_factory=list)
    """File parts in order: field name and bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How much of a body is read."""

    max_bytes: int
    """Bytes of the whole body."""

    max_file_bytes: int
    """Bytes of one file part."""

    max_files: int
    """File parts."""

    timeout_s: float
    """Seconds from the first to the last byte."""


def content_type(request: Request) -> str:
    """The media type of the body, without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, limits: BodyLimits, memory: Holding | None = None) -> bytearray:
    """The whole body.

    Args:
        request: whose body it is.
        limits: how much of it is read.
        memory: where its bytes are counted.

    Raises:
        InputError: ``body_too_large`` as soon as it is known to be, ``body_timeout``.
        OverloadedError: there is no memory left for it.
    """
    body = bytearray()
    async for chunk in _chunks(request, limits, memory):
        body += chunk
    return body


async def read_form(request: Request, limits: BodyLimits, memory: Holding | None = None) -> Form:
    """The parts of a multipart body, parsed as it arrives.

    Raises:
        InputError: as :func:`read_body`; ``body_malformed``; ``invalid_field`` for a repeated text field.
        ImageError: ``image_too_large``, ``too_many_images``: as soon as they are known.
        OverloadedError: as :func:`read_body`.
    """
    _, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if not boundary:
        raise InputError("The multipart body has no boundary.", code="body_malformed")
    reader = _FormReader(limits)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.begin,
                "on_header_field": reader.header_name,
                "on_header_value": reader.header_value,
                "on_header_end": reader.header_end,
                "on_headers_finished": reader.headers_end,
                "on_part_data": reader.data,
                "on_part_end": reader.end,
                "on_end": reader.finish,
            },
        )
        async for chunk in _chunks(request, limits, memory):
            parser.write(chunk)
        parser.finalize()
    except FormParserError as exc:
        raise InputError("The multipart body is malformed.", code="body_malformed") from exc
    if not reader.finished:
        raise InputError("The multipart body ends too early.", code="body_malformed")
    return reader.form


async def _chunks(request: Request, limits: BodyLimits, memory: Holding | None) -> AsyncIterator[bytes]:
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
                        memory.upload(evict)
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
                memory.arrived(len(chunk))
            yield chunk
    finally:
        if memory is not None:
            memory.uploaded()


class _FormReader:
    """Callbacks of the multipart parser."""

    def __init__(self, limits: BodyLimits) -> None:
        self.form = Form()
        self.finished = False
        self._limits = limits
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._name = ""
        self._is_file = False
        self._data = bytearray()

    def begin(self) -> None:
        self._headers = {}
        self._head_bytes = 0
        self._data = bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._count_head(end - start)
        self._header_name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_head(end - start)
        self._header_value += data[start:end]

    def header_end(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name, self._header_value = bytearray(), bytearray()

    def headers_end(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"").decode("latin-1")
        _, options = parse_options_header(disposition)
        if b"name" not in options:
            raise FormParserError("a part has no name")
        self._name = options[b"name"].decode("latin-1")
        self._is_file = b"filename" in options
        if self._is_file and len(self.form.files) >= self._limits.max_files:
            raise too_many_images(self._limits.max_files)
        if not self._is_file and len(self.form.texts) >= _MAX_FIELDS:
            raise FormParserError("too many fields")

    def data(self, data: bytes, start: int, end: int) -> None:
        limit = self._limits.max_file_bytes if self._is_file else _MAX_TEXT_BYTES
        if len(self._data) + end - start > limit:
            if self._is_file:
                raise ImageError(f"The image is larger than {limit} bytes.", code="image_too_large", param="image")
            raise InputError(f"A text field is larger than {limit} bytes.", code="body_too_large")
        self._data += data[start:end]

    def end(self) -> None:
        if self._is_file:
            self.form.files.append((self._name, bytes(self._data)))
            return
        if self._name in self.form.texts:
            raise InputError("A field appears more than once.", code="invalid_field")
        try:
            self.form.texts[self._name] = self._data.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise InputError("A text field is not UTF-8.", code="invalid_field") from exc

    def finish(self) -> None:
        self.finished = True

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_HEAD_BYTES:
            raise FormParserError("a part's head is too long")


def too_many_images(limit: int) -> ImageError:
    """The refusal of a request with more than ``limit`` images."""
    return ImageError(f"At most {limit} images are accepted.", code="too_many_images", param="image")
