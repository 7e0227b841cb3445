"""Reading bodies: bytes are counted as they arrive, files stay in memory, and a slow client has a deadline.

The multipart reader is our own use of python-multipart because the web framework's writes larger files to disk, and a
client's picture has no business there.
"""

import asyncio
import binascii
import quopri
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import unquote

import pybase64
from fastapi import Request
from python_multipart.exceptions import FormParserError, ParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from safety_core.errors import ImageError, InputError
from service.ingress.memory_budget import MemoryReservation

MULTIPART = "multipart/form-data"
JSON = "application/json"

_MAX_FIELDS = 16
_MAX_TEXT_BYTES = 1024 * 1024
_MAX_HEAD_BYTES = 8 * 1024
"""Limit on the headers of one part, and on the preamble. The parser reads headers byte by byte, in the event loop, but
not the data of a part."""

_MAX_PADDING = 64
"""White space after the first delimiter."""

_CHARSETS = frozenset(
    {
        "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be",
        "iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-9", "iso-8859-15", "latin1", "windows-1250",
        "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1256", "koi8-r", "shift_jis",
        "euc-jp", "iso-2022-jp", "gbk", "gb2312", "gb18030", "big5", "euc-kr",
    }
)  # fmt: skip
"""Encodings that a text may have; Python's own list also has encodings that are not for text."""

_BAD_FRAMING = (
    "The multipart body is malformed: each line of its framing ends with CR and LF, "
    "and no header goes on in a second line."
)

_NAMES = ("name", "filename")
"""The headers of a part."""

_CHARSET_FIELD = "_charset_"
"""Field of a form that names the encoding of its texts (RFC 7578, section 4.6)."""


@dataclass(slots=True)
class MultipartForm:
    """The parts of a multipart body."""

    texts: dict[str, str] = field(default_factory=dict)
    """Text fields by name, without the one that names their encoding."""

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


def get_media_type(request: Request) -> str:
    """The media type of the body, without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON: ``application/json``, and types with the suffix ``+json`` (RFC 6839)."""
    return media_type in (JSON, "text/json") or (media_type.startswith("application/") and media_type.endswith("+json"))


def parse_charset(header: str | None) -> str | None:
    """The ``charset`` of a ``Content-Type``; None if it has none.

    Raises:
        InputError: ``invalid_field``, the encoding is unknown.
    """
    value = parse_options_header(header)[1].get(b"charset", b"").decode("latin-1").strip().lower()
    if value and value not in _CHARSETS:
        raise InputError("The charset is not supported; send UTF-8.", code="invalid_field")
    return value or None


async def read_body(request: Request, limits: BodyLimits, memory: MemoryReservation | None = None) -> bytearray:
    """The whole body.

    Args:
        request: whose body it is.
        limits: bounds on its size and duration.
        memory: counts its bytes.

    Raises:
        InputError: ``body_too_large``, as soon as the limit is exceeded; ``body_timeout``.
        OverloadedError: the memory budget is used up.
    """
    body = bytearray()
    async for chunk in _chunks(request, limits, memory):
        body += chunk
    return body


async def read_form(request: Request, limits: BodyLimits, memory: MemoryReservation | None = None) -> MultipartForm:
    """The parts of a multipart body, parsed as it arrives.

    Raises:
        InputError: as :func:`read_body`; ``body_malformed``; ``invalid_field`` for a repeated text field, or one whose
            bytes are not text.
        ImageError: ``image_too_large``, ``too_many_images``, as soon as a limit is exceeded.
        OverloadedError: as :func:`read_body`.
    """
    _, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if not boundary:
        raise InputError("The multipart body has no boundary.", code="body_malformed")
    reader, beginning = _FormReader(limits), _Beginning(boundary)
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
            parser.write(beginning.passed(chunk))
        parser.finalize()
    except ParseError as exc:  # where the parser found it; what it says may quote the body
        raise InputError(_BAD_FRAMING, code="body_malformed") from exc
    except FormParserError as exc:
        raise InputError("The multipart body is malformed.", code="body_malformed") from exc
    if not reader.finished:
        raise InputError("The multipart body ends too early.", code="body_malformed")
    reader.decode_texts()
    return reader.form


async def _chunks(request: Request, limits: BodyLimits, memory: MemoryReservation | None) -> AsyncIterator[bytes]:
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


class _Beginning:
    """Removes the preamble before the first delimiter, and white space after it, which the parser does not support.

    Args:
        boundary: the boundary string of the delimiters.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = re.compile(rb"(?:^|(?<=\n))--" + re.escape(boundary))
        self._length = len(boundary) + 2
        self._held = bytearray()
        self._found = False

    def passed(self, chunk: bytes) -> bytes:
        """The part of a chunk that the parser gets.

        Raises:
            FormParserError: the first delimiter does not end its line, or the preamble is too long.
        """
        if self._found:
            return chunk
        start = max(0, len(self._held) - self._length - _MAX_PADDING)
        self._held += chunk
        delimiter = self._delimiter.search(self._held, start)
        if (len(self._held) if delimiter is None else delimiter.start()) > _MAX_HEAD_BYTES:
            raise FormParserError("there is no delimiter")
        if delimiter is None or len(self._held) - delimiter.end() < 2:
            return b""
        rest = bytes(self._held[delimiter.end() :])
        line = rest.lstrip(b" \t")
        if not rest.startswith(b"--") and not line.startswith(b"\r\n"):
            if line.startswith(b"\n"):
                raise InputError(_BAD_FRAMING, code="body_malformed")
            if line.strip(b"\r") or len(rest) > _MAX_PADDING:
                raise FormParserError("the first delimiter does not end its line")
            return b""
        self._found = True
        return delimiter[0] + (rest if rest.startswith(b"--") else line)


class _FormReader:
    """Callbacks of the multipart parser."""

    def __init__(self, limits: BodyLimits) -> None:
        self.form = MultipartForm()
        self.finished = False
        self._limits = limits
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._name = ""
        self._parts = 0
        self._is_file = False
        self._is_unchosen = False
        self._data = bytearray()
        self._texts: dict[str, tuple[bytes, str | None]] = {}

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
        options = _disposition_options(disposition)
        if "name" not in options:
            raise FormParserError("a part has no name")
        self._name = options["name"]
        filename, media_type = options.get("filename"), self._media_type
        # A file need not have a name (RFC 7578, section 4.2).
        self._is_file = filename is not None or not (media_type.startswith("text/") or media_type in ("", JSON))
        # Browsers send a file without a name and without bytes where their user chose none.
        self._is_unchosen = self._is_file and not filename
        self._parts += 1
        if self._is_file and not self._is_unchosen:
            self._check_files()
        if self._parts > _MAX_FIELDS + 2 * self._limits.max_files:
            raise FormParserError("too many parts")
        if not self._is_file and len(self._texts) >= _MAX_FIELDS:
            raise FormParserError("too many fields")

    @property
    def _media_type(self) -> str:
        """Media type of the part; empty if it has none."""
        return self._headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()

    def _check_files(self) -> None:
        if len(self.form.files) >= self._limits.max_files:
            raise create_image_count_error(self._limits.max_files)

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._is_unchosen and end > start:
            self._is_unchosen = False
            self._check_files()
        limit = self._limits.max_file_bytes if self._is_file else _MAX_TEXT_BYTES
        if len(self._data) + end - start > limit:
            if self._is_file:
                raise ImageError(f"The image is larger than {limit} bytes.", code="image_too_large", param="image")
            raise InputError(f"A text field is larger than {limit} bytes.", code="body_too_large")
        self._data += data[start:end]

    def end(self) -> None:
        if self._is_unchosen:
            return
        data = self._decoded()
        if self._is_file:
            self.form.files.append((self._name, data))
            return
        if self._name in self._texts:
            raise InputError("A field appears more than once.", code="invalid_field")
        self._texts[self._name] = (data, parse_charset(self._headers.get(b"content-type", b"").decode("latin-1")))

    def decode_texts(self) -> None:
        """Decode the text fields, once their encoding is known.

        Raises:
            InputError: ``invalid_field``, a field has another encoding.
        """
        named, _ = self._texts.pop(_CHARSET_FIELD, (b"", None))
        usual = parse_charset(f"text/plain; charset={named.decode('latin-1')}") if named else None
        for name, (data, charset) in self._texts.items():
            try:
                self.form.texts[name] = data.decode(charset or usual or "utf-8")
            except UnicodeError as exc:
                complaint = f"A text field is not {charset or usual or 'UTF-8'}."
                raise InputError(complaint, code="invalid_field") from exc

    def _decoded(self) -> bytes:
        """The bytes of the part; transfer encodings are deprecated, but still sent by some clients."""
        encoding = self._headers.get(b"content-transfer-encoding", b"").decode("latin-1").strip().lower()
        if encoding in ("", "7bit", "8bit", "binary"):
            return bytes(self._data)
        try:
            if encoding == "base64":
                return pybase64.b64decode(b"".join(self._data.split()), validate=True)
            if encoding == "quoted-printable":
                return quopri.decodestring(self._data)
        except (binascii.Error, ValueError) as exc:
            raise FormParserError("a part is not in its encoding") from exc
        raise FormParserError("a part has an encoding that is not known")

    def finish(self) -> None:
        self.finished = True

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_HEAD_BYTES:
            raise FormParserError("a part's head is too long")


def _disposition_options(header: str) -> dict[str, str]:
    """Name and file name of a ``Content-Disposition``, also in the extended form of RFC 5987."""
    plain = parse_options_header(header)[1]
    options = {name: _readable(plain[name.encode()]) for name in _NAMES if name.encode() in plain}
    if len(options) < len(_NAMES) and "*" in header:
        part = Message()
        part["Content-Disposition"] = header
        for name, value in part.get_params([], "content-disposition"):
            if name in _NAMES and name not in options:
                options[name] = value[2] if isinstance(value, tuple) else value
    return options


def _readable(value: bytes) -> str:
    """A name in UTF-8 or with percent escapes."""
    try:
        return unquote(value.decode("utf-8"))
    except UnicodeDecodeError:
        return value.decode("latin-1")


def create_image_count_error(limit: int, *, param: str = "image") -> ImageError:
    """The error for a request with more than ``limit`` images.

    Args:
        limit: number of accepted images.
        param: field of the first one above it.
    """
    return ImageError(f"At most {limit} images are accepted.", code="too_many_images", param=param)
