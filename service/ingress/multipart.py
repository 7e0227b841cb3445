"""Reads multipart forms as they arrive, and keeps their files in memory.

Uses the parser of python-multipart; the reader of the web framework would write larger files to disk.
"""

import binascii
import quopri
import re
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import unquote

import pybase64
from fastapi import Request
from python_multipart.exceptions import FormParserError, ParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from safety_core.errors import ImageError, InputError
from service.ingress.body import JSON, BodyLimits, create_image_count_error, parse_charset, read_chunks
from service.ingress.memory_budget import MemoryReservation

MULTIPART = "multipart/form-data"

_MAX_FIELDS = 16
_MAX_TEXT_BYTES = 1024 * 1024
_MAX_HEAD_BYTES = 8 * 1024
"""Maximum bytes of the headers of one part, and of the preamble. Unlike the data of a part, the parser reads headers
byte by byte, in the event loop."""

_MAX_PADDING = 64
"""White space after the first delimiter."""

_BAD_FRAMING = (
    "The multipart body is malformed: delimiter and header lines must end with CRLF, and headers must not be folded."
)

_NAMES = ("name", "filename")
"""Parameters of the ``Content-Disposition`` of a part."""

URL_FIELD = "image_url"
"""Text field that may appear several times, in forms that accept URLs of images."""

_CHARSET_FIELD = "_charset_"
"""Field of a form that names the encoding of its texts (RFC 7578, section 4.6)."""


@dataclass(slots=True)
class MultipartForm:
    """The parts of a multipart body."""

    texts: dict[str, str] = field(default_factory=dict)
    """Text fields by name, without ``_charset_``."""

    files: list[tuple[str, bytes]] = field(default_factory=list)
    """File parts in order: field name and bytes."""

    image_urls: list[str] = field(default_factory=list)
    """URLs of images in order, if the form may have any."""


async def read_form(
    request: Request, limits: BodyLimits, memory: MemoryReservation | None = None, *, with_urls: bool = False
) -> MultipartForm:
    """Read a multipart form.

    Args:
        request: the request.
        limits: limits on its size and duration; URLs of images count as files.
        memory: counts its bytes.
        with_urls: whether the field ``image_url`` may appear several times.

    Raises:
        InputError: ``body_too_large``, ``body_timeout``, ``body_malformed``; ``invalid_field`` for a repeated text
            field, or one whose bytes are not text.
        ImageError: ``image_too_large``, ``too_many_images``, as soon as a limit is exceeded.
        OverloadedError: the memory budget is used up.
    """
    _, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if not boundary:
        raise InputError("The multipart body has no boundary.", code="body_malformed")
    reader, preamble = _PartReader(limits, with_urls=with_urls), _PreambleFilter(boundary)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.begin_part,
                "on_header_field": reader.add_header_name,
                "on_header_value": reader.add_header_value,
                "on_header_end": reader.end_header,
                "on_headers_finished": reader.end_headers,
                "on_part_data": reader.add_data,
                "on_part_end": reader.end_part,
                "on_end": reader.finish,
            },
        )
        async for chunk in read_chunks(request, limits, memory):
            parser.write(preamble.strip(chunk))
        parser.finalize()
    except ParseError as exc:  # the message may quote the body
        raise InputError(_BAD_FRAMING, code="body_malformed") from exc
    except FormParserError as exc:
        raise InputError("The multipart body is malformed.", code="body_malformed") from exc
    if not reader.is_finished:
        raise InputError("The multipart body ends too early.", code="body_malformed")
    reader.decode_texts()
    return reader.form


class _PreambleFilter:
    """Removes the preamble before the first delimiter, and white space after it, which the parser does not support.

    Args:
        boundary: the boundary string of the delimiters.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = re.compile(rb"(?:^|(?<=\n))--" + re.escape(boundary))
        self._length = len(boundary) + 2
        self._held = bytearray()
        self._found = False

    def strip(self, chunk: bytes) -> bytes:
        """Strip the preamble from a chunk; returns the bytes to parse.

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


class _PartReader:
    """Callbacks of the multipart parser, which collect the parts of a form and limit them."""

    def __init__(self, limits: BodyLimits, *, with_urls: bool = False) -> None:
        self.form = MultipartForm()
        self.is_finished = False
        self._limits = limits
        self._with_urls = with_urls
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._name = ""
        self._parts = 0
        self._is_file = False
        self._is_empty_file = False
        self._data = bytearray()
        self._texts: dict[str, tuple[bytes, str | None]] = {}
        self._urls: list[tuple[bytes, str | None]] = []

    def begin_part(self) -> None:
        self._headers = {}
        self._head_bytes = 0
        self._data = bytearray()

    def add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._count_head(end - start)
        self._header_name += data[start:end]

    def add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_head(end - start)
        self._header_value += data[start:end]

    def end_header(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name, self._header_value = bytearray(), bytearray()

    def end_headers(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"").decode("latin-1")
        options = _parse_disposition(disposition)
        if "name" not in options:
            raise FormParserError("a part has no name")
        self._name = options["name"]
        filename, media_type = options.get("filename"), self._media_type
        # A file need not have a name (RFC 7578, section 4.2).
        self._is_file = filename is not None or not (media_type.startswith("text/") or media_type in ("", JSON))
        # If the user has chosen no file, browsers send an empty file without a name.
        self._is_empty_file = self._is_file and not filename
        self._parts += 1
        if self._is_url or (self._is_file and not self._is_empty_file):
            self._check_files()
        if self._parts > _MAX_FIELDS + 2 * self._limits.max_files:
            raise FormParserError("too many parts")
        if not self._is_file and not self._is_url and len(self._texts) >= _MAX_FIELDS:
            raise FormParserError("too many fields")

    @property
    def _is_url(self) -> bool:
        """Whether the part is one of several URLs of images."""
        return self._with_urls and not self._is_file and self._name == URL_FIELD

    @property
    def _media_type(self) -> str:
        """Media type of the part; empty if it has none."""
        return self._headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()

    def _check_files(self) -> None:
        if len(self.form.files) + len(self._urls) >= self._limits.max_files:
            raise create_image_count_error(self._limits.max_files)

    def add_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_empty_file and end > start:
            self._is_empty_file = False
            self._check_files()
        limit = self._limits.max_file_bytes if self._is_file else _MAX_TEXT_BYTES
        if len(self._data) + end - start > limit:
            if self._is_file:
                raise ImageError(f"The image is larger than {limit} bytes.", code="image_too_large", param="image")
            raise InputError(f"A text field is larger than {limit} bytes.", code="body_too_large")
        self._data += data[start:end]

    def end_part(self) -> None:
        if self._is_empty_file:
            return
        data = self._decode_data()
        if self._is_file:
            self.form.files.append((self._name, data))
            return
        if self._name in self._texts:
            raise InputError("A field appears more than once.", code="invalid_field")
        text = data, parse_charset(self._headers.get(b"content-type", b"").decode("latin-1"))
        if self._is_url:
            self._urls.append(text)
        else:
            self._texts[self._name] = text

    def decode_texts(self) -> None:
        """Decode the text fields, once their encoding is known.

        Raises:
            InputError: ``invalid_field``, a field has another encoding.
        """
        named, _ = self._texts.pop(_CHARSET_FIELD, (b"", None))
        default_charset = parse_charset(f"text/plain; charset={named.decode('latin-1')}") if named else None
        self.form.texts = {name: _decode_text(*text, default_charset) for name, text in self._texts.items()}
        self.form.image_urls = [_decode_text(*text, default_charset) for text in self._urls]

    def _decode_data(self) -> bytes:
        """Decode the bytes of the part; transfer encodings are deprecated, but some clients still send them."""
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
        raise FormParserError("a part has an unknown encoding")

    def finish(self) -> None:
        self.is_finished = True

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_HEAD_BYTES:
            raise FormParserError("the headers of a part are too long")


def _decode_text(data: bytes, charset: str | None, default_charset: str | None) -> str:
    """Decode a text field; its own encoding has priority."""
    try:
        return data.decode(charset or default_charset or "utf-8")
    except UnicodeError as exc:
        message = f"A text field is not {charset or default_charset or 'UTF-8'}."
        raise InputError(message, code="invalid_field") from exc


def _parse_disposition(header: str) -> dict[str, str]:
    """Parse name and file name of a ``Content-Disposition``, also in the extended form of RFC 5987."""
    plain = parse_options_header(header)[1]
    options = {name: _decode_name(plain[name.encode()]) for name in _NAMES if name.encode() in plain}
    if len(options) < len(_NAMES) and "*" in header:
        part = Message()
        part["Content-Disposition"] = header
        for name, value in part.get_params([], "content-disposition"):
            if name in _NAMES and name not in options:
                options[name] = value[2] if isinstance(value, tuple) else value
    return options


def _decode_name(value: bytes) -> str:
    """Decode a name in UTF-8, or with percent escapes."""
    try:
        return unquote(value.decode("utf-8"))
    except UnicodeDecodeError:
        return value.decode("latin-1")
