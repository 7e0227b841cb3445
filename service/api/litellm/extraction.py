"""Extracts every text and every picture from a request that a proxy forwards, from any field.

Providers' protocols differ and grow, so the whole structure is walked instead of looking up known fields. Every string
is a text unless it is known to be something else: a picture (in the form of any provider), a keyword of the protocol
(``"role": "user"``), or an identifier. Identifiers of several words are read as words, because a model may read them.
Content that cannot be judged (audio, video, documents, references to external files) is an error, so that it never
passes unjudged.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from safety_core.errors import InputError
from safety_core.inputs.text.lexicon import english

MAX_DEPTH = 128
"""Maximum nesting of lists and objects; deeper nesting is an error."""

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
"""A JSON escape of a letter."""


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_PROTOCOL_KEYS = _names(
    """
    role content type text name id index function functions tools tool_calls tool_choice arguments parameters input
    output description image_url images image input_image url detail source data media_type mime_type mimeType format
    bytes inline_data inlineData parts thinking thinking_blocks reasoning reasoning_content reasoning_details summary
    signature refusal audio transcript annotations cache_control ttl citations tool_call_id call_id tool_use_id status
    is_error title context strict properties required items enum const default examples additionalProperties anyOf oneOf
    allOf not minimum maximum minLength maxLength minItems maxItems pattern $ref $defs definitions $schema
    function_call custom input_schema function_declarations functionDeclarations provider_specific_fields
    """
)
"""Field names of the protocols, which are not judged; any other name is read as words."""

_PROTOCOL_VALUES = _names(
    """
    user assistant system developer tool function model text input_text output_text refusal image image_url input_image
    thinking redacted_thinking reasoning reasoning_text summary_text tool_use tool_result tool_call function_call
    function_call_output custom message base64 url ephemeral auto low high original none required object string number
    integer boolean array null true false completed incomplete in_progress server_tool_use web_search_tool_result
    """
)
"""Protocol keywords, which are not judged."""

_MARKING_FIELDS = frozenset({"role", "type", "detail", "status", "media_type", "mime_type", "mimeType", "format"})
"""Fields whose values are protocol keywords, not texts, if they are in ``_PROTOCOL_VALUES``."""

_IDENTIFIERS = _names(
    """
    id name tool_call_id call_id tool_use_id item_id signature thought_signature thoughtSignature encrypted_content
    $ref $schema
    """
)
"""Fields whose values are identifiers; read as words if they have several."""

_CONTENT_FIELDS = frozenset({"text", "content", "thinking", "reasoning", "reasoning_content", "transcript", "refusal"})
"""Fields whose value a model reads unchanged, even if it looks like a picture or an identifier."""

_UNJUDGED_TYPES = _names(
    """
    input_audio audio audio_url file input_file file_url media video video_url input_video document_url
    container_upload computer_screenshot
    """
)
"""Types of parts whose content is neither text nor picture."""

_UNJUDGED_FIELDS = _names(
    """
    input_audio audio_url file file_data fileData file_uri fileUri file_id file_url video video_url s3Location
    document_url
    """
)
"""Fields that contain or reference such content."""

_PICTURE_FIELDS = frozenset({"image_url", "input_image", "image", "images", "inline_data", "inlineData"})
"""Fields that contain or reference pictures."""

_PICTURE_PLACES = _names(
    """
    url uri data bytes base64 b64_json path result source image_url image input_image inline_data inlineData
    """
)
"""Fields of a picture part that contain the picture itself."""

_JSON_FIELDS = _names(
    """
    input arguments args parameters input_schema output_schema schema json_schema properties $defs definitions
    response annotations citations metadata
    """
)
"""Fields with free-form JSON, whose names have no fixed meaning, so pictures are recognised only by their values."""

_BLOB_FIELDS = frozenset({"data", "bytes", "base64", "b64_json"})
"""Fields with bytes in base64."""

_MEDIA_TYPES = ("media_type", "mime_type", "mimeType")
"""Fields with the media type of the bytes."""

_LEAST_BLOB = 64
"""Minimum characters of a string that may be base64."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]*")
_SIGNS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
"""First bytes of picture files."""

_MEDIA_TYPE = re.compile(r"(?:image|audio|video|text|application)/[\w.+-]{1,64}")

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_A-Za-z]+")
"""Words of an identifier: of ``get_user``, ``get-user``, ``getUser`` and ``GET_USER``."""

_SPOKEN_RUN = re.compile(r"(?<![A-Za-z0-9+/=])(?:[A-Za-z]{1,15}[_.:/\s-]+){2,}[A-Za-z]{1,15}(?![A-Za-z0-9+/=])")
"""Three words in a row, within otherwise random characters."""

_LEAST_ROW = 3
"""Minimum words in a row that may form a request."""

_SPOKEN_SHARE = 0.7
"""Minimum share of an identifier's letters in known words for it to count as words."""


@dataclass(slots=True)
class Extracted:
    """The texts and pictures of a request that a model may read."""

    texts: list[str] = field(default_factory=list)
    """Every text that is not blank, in order, without duplicates."""

    user_texts: list[str] = field(default_factory=list)
    """Texts of user messages."""

    pictures: list[str] = field(default_factory=list)
    """Every picture as base64, a data URL or a URL, without duplicates."""

    _known: set[str] = field(default_factory=set)

    def add_texts(self, texts: Iterable[str]) -> None:
        """Add new texts."""
        for text in texts:
            if text.strip() and text not in self._known:
                self._known.add(text)
                self.texts.append(text)

    def add_pictures(self, pictures: Iterable[str]) -> None:
        """Add new pictures."""
        self.pictures += dict.fromkeys(one for one in pictures if one not in self.pictures)

    def add_messages(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Add all texts and pictures of messages; raises InputError if some content cannot be judged."""
        for message in messages:
            content = message.get("content")
            parts = content if isinstance(content, list) else [] if content is None else [content]
            if not all(isinstance(part, str | dict) for part in parts):
                raise _unjudged("structured_messages")
            calls = _listed(message.get("tool_calls")) + [
                {"function": call} for call in _listed(message.get("function_call"))
            ]
            walk = _Walk("structured_messages")
            walk.read({name: value for name, value in message.items() if name not in ("tool_calls", "function_call")})
            texts = [*walk.contents, "\n".join(walk.others), *map(tool_call_text, calls)]
            self.add_texts(texts)
            self.add_pictures(walk.pictures)
            if message.get("role") == "user":
                self.user_texts += [text for text in dict.fromkeys(texts) if text.strip()]

    def add_tools(self, tools: Any) -> None:
        """Add tool definitions, each as one text: names, descriptions, schemas; and all names in a row."""
        names: list[str] = []
        for tool in _listed(tools):
            walk = _Walk("tools")
            walk.read(tool, plain=True)
            self.add_texts(["\n".join([*walk.contents, *walk.others])])
            self.add_pictures(walk.pictures)
            names += walk.names
        self.add_texts(_identifiers([name for name in names if " " not in _apart(name)], together=True))

    def add_tool_calls(self, calls: Any) -> None:
        """Add the arguments of tool calls."""
        self.add_texts(map(tool_call_text, _listed(calls)))

    def add_others(self, fields: Mapping[str, Any]) -> None:
        """Add unknown fields of the protocol; raises as :meth:`add_messages`."""
        for name, value in fields.items():
            walk = _Walk(None)
            walk.read({name: value})
            self.add_texts([*walk.contents, "\n".join(walk.others)])
            self.add_pictures(walk.pictures)


def tool_call_text(call: Any) -> str:
    """Arguments of a tool call, one text per line; the whole call if it is not in OpenAI's form."""
    fields = call if isinstance(call, dict) else {}
    parts = [part for kind in ("function", "custom") if isinstance(part := fields.get(kind), dict)]
    told = [part[name] for part in parts for name in ("arguments", "input") if part.get(name) is not None]
    if not told:
        return "\n".join(texts_in_json(call))
    # A call's other fields may be handed on, too.
    walk = _Walk("tool_calls")
    walk.read({name: value for name, value in fields.items() if name not in ("function", "custom")}, plain=True)
    for part in parts:
        walk.read({name: value for name, value in part.items() if name not in ("arguments", "input")}, plain=True)
    return "\n".join([*texts_in_json(told), *walk.contents, *walk.others])


def texts_in_json(value: Any) -> list[str]:
    """Every text in a JSON value, including keys and numbers, in order, and in JSON within a text.

    Escapes could hide a word, and braces a sentence.
    """
    found: list[str] = []
    left = [value]
    while left:
        match left.pop():
            case dict() as fields:
                left += [part for pair in reversed(fields.items()) for part in reversed(pair)]
            case list() as parts:
                left += reversed(parts)
            case None:
                pass
            case str() as text:
                inner = _parsed(text)
                if inner is None:
                    found.append(_ESCAPED.sub(lambda letter: chr(int(letter[1], 16)), text))
                else:
                    left.append(inner)
            case other:
                found.append(json.dumps(other))
    return found


def as_read(text: str) -> str:
    """A text as a model reads it; the contents of JSON, one per line, without braces and escapes."""
    inner = _parsed(text)
    return text if inner is None else "\n".join(texts_in_json(inner))


class _Walk:
    """Walks a structure and classifies its strings.

    Args:
        param: the request's field, for errors.
    """

    def __init__(self, param: str | None) -> None:
        self._param = param
        self.contents: list[str] = []
        """Texts that are read unchanged, each by itself."""
        self.others: list[str] = []
        """All other strings to be read."""
        self.names: list[str] = []
        """Identifiers, unchanged."""
        self.pictures: list[str] = []
        """Pictures as base64, data URLs or URLs."""

    def read(self, value: Any, *, plain: bool = False) -> None:
        """Read a JSON value in order.

        Args:
            value: what to read.
            plain: whether its field names are free-form, so that pictures are recognised only by values.

        Raises:
            InputError: some content cannot be judged, or the nesting is too deep.
        """
        left: list[tuple[str, Any, bool, int]] = [("", value, plain, 0)]
        while left:
            name, one, plain, depth = left.pop()
            if depth > MAX_DEPTH:
                raise InputError("The request is nested too deeply.", code="invalid_field", param=self._param)
            if isinstance(one, str):
                self._read_text(name, one, plain=plain)
            elif isinstance(one, list):
                left += [(name, item, plain, depth + 1) for item in reversed(one)]
            elif isinstance(one, dict):
                rest = one if plain else self._without_media(one)
                self.others += _identifiers((key for key in rest if key not in _PROTOCOL_KEYS), together=True)
                left += [(key, item, plain or key in _JSON_FIELDS, depth + 1) for key, item in reversed(rest.items())]

    def _read_text(self, name: str, text: str, *, plain: bool) -> None:
        if not text.strip() or (name in _MARKING_FIELDS and text in _PROTOCOL_VALUES):
            return
        if name in _MARKING_FIELDS and not any(map(str.isspace, text)):
            is_media_type = _MEDIA_TYPE.fullmatch(text) and not _is_spoken(text)
            self.others += [] if is_media_type else _identifiers([text])
            return
        if name in _CONTENT_FIELDS and not plain:
            self.contents.append(as_read(text))
        elif (name in _PICTURE_FIELDS and not plain) or _is_picture(text):  # a list of them is one string each
            self.pictures.append(text)
        elif not plain and (text[:5].lower() == "data:" or (name in _BLOB_FIELDS and _is_blob(text))):
            raise _unjudged(self._param)
        elif name in _IDENTIFIERS and not any(map(str.isspace, text)):
            self.names += [text] if name == "name" else []
            spoken = name == "name" or _SPOKEN_RUN.search(text) or _is_spoken(text)
            self.others += _identifiers([text]) if spoken else []
        else:
            self.others.append(as_read(text))

    def _without_media(self, fields: dict[str, Any]) -> dict[str, Any]:
        """An object without its pictures; raises InputError if it cannot be judged."""
        kind, audio = fields.get("type", ""), fields.get("audio")
        if (
            not isinstance(kind, str | None)
            or kind in _UNJUDGED_TYPES
            or any(fields.get(name) is not None for name in _UNJUDGED_FIELDS)
            or (isinstance(audio, dict) and (audio.get("data") is not None or not audio.get("transcript")))
        ):
            raise _unjudged(self._param)
        if kind == "document":
            return self._document(fields)
        if kind == "redacted_thinking" and _is_sealed(fields.get("data")):
            return {name: value for name, value in fields.items() if name != "data"}
        before = len(self.pictures)
        if kind and "image" in kind.lower():
            rest = self._without_picture(fields)
            if len(self.pictures) == before:
                raise _unjudged(self._param)
            return rest
        rest = dict(fields)
        for name in _PICTURE_FIELDS & fields.keys():
            if isinstance(fields[name], dict):
                rest[name] = self._without_picture(fields[name])
                if len(self.pictures) == before:
                    raise _unjudged(self._param)
        return rest

    def _without_picture(self, part: dict[str, Any]) -> dict[str, Any]:
        """Other texts of a picture part."""
        rest: dict[str, Any] = {}
        media = next((part[name] for name in _MEDIA_TYPES if isinstance(part.get(name), str)), "image/")
        for name, value in part.items():
            if name in _PICTURE_PLACES and isinstance(value, str):
                if not media.lower().startswith("image/"):
                    raise _unjudged(self._param)
                self.pictures.append(value)
            elif name in _PICTURE_PLACES and isinstance(value, dict):
                rest[name] = self._without_picture(value)
            else:
                rest[name] = value
        return rest

    def _document(self, fields: dict[str, Any]) -> dict[str, Any]:
        """A text-only document."""
        source = fields.get("source")
        if not isinstance(source, dict) or source.get("type") not in ("text", "content"):
            raise _unjudged(self._param)
        if source["type"] == "content":
            return fields
        told = {"text" if name == "data" else name: value for name, value in source.items() if name != "type"}
        return {**fields, "source": told}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _unjudged(param: str | None) -> InputError:
    return InputError("The request has a part that cannot be judged.", code="invalid_field", param=param)


def _identifiers(names: Iterable[str], *, together: bool = False) -> list[str]:
    """Identifiers of several words, as words; a single word cannot form a request.

    Args:
        names: the identifiers.
        together: whether those of one word are also read in a row, if there are at least ``_LEAST_ROW``.
    """
    words = [_apart(name) if name.isascii() else name for name in names]
    single = [one for one in words if one and " " not in one and one.isascii()] if together else []
    row = [" ".join(single)] if len(single) >= _LEAST_ROW else []
    return [*(one for one in words if " " in one or not one.isascii()), *row]


def _apart(name: str) -> str:
    return " ".join(word.lower() for word in _WORDS.findall(name))


def _is_spoken(text: str) -> bool:
    """Whether an identifier consists of English words rather than random characters."""
    words = _apart(text).split()
    known = [word for word in words if len(word) > 1 and word in english()]
    letters = sum(map(len, words))
    return len(known) >= _LEAST_ROW and sum(map(len, known)) > _SPOKEN_SHARE * letters


def _is_blob(text: str) -> bool:
    """Whether a string is bytes in base64 rather than words."""
    return len(text) >= _LEAST_BLOB and _BASE64.fullmatch(text) is not None and not _SPOKEN_RUN.search(text)


def _is_sealed(data: Any) -> bool:
    """Whether it is encrypted by a provider: only that provider can read it, and accepts nothing else there."""
    return isinstance(data, str) and _BASE64.fullmatch(data) is not None and not _SPOKEN_RUN.search(data)


def _is_picture(text: str) -> bool:
    """Whether a string is a picture file, as a data URL or in base64."""
    if text[:5].lower() == "data:":
        return text[5:32].lstrip().lower().startswith("image/") and "," in text
    if not _is_blob(text):
        return False
    head = text[:16].replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(head).startswith(_SIGNS)
    except (binascii.Error, ValueError):
        return False


def _parsed(text: str) -> Any:
    """The value of a JSON text; None if it is not valid JSON."""
    text = text.lstrip("\ufeff \t\r\n")
    if text[:1] not in ("{", "[", '"'):
        return None
    try:
        # Of equal keys all count, since who tells which of them a tool will read? Numbers stay as they are spelt.
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: [list(pair) for pair in pairs],
            parse_int=str,
            parse_float=str,
            strict=False,
        )
    except (ValueError, RecursionError):
        return None
