"""Extracts every text and every image from a request that a proxy forwards, from any field.

Providers' protocols differ and grow, so the whole structure is walked instead of looking up known fields. Only fields
that identify the caller, and that no model reads, are ignored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.api.litellm.content_walker import ContentWalker, create_unjudged_error
from service.api.litellm.json_texts import list_json_texts, unfold_json
from service.api.litellm.schemas import GuardrailRequest
from service.api.litellm.strings import read_identifiers, split_identifier

_CALL_FIELDS = frozenset({"litellm_call_id", "litellm_trace_id", "litellm_version", "model", "request_headers"})
"""Fields about the call, which no model reads."""

_KEY_PREFIX = "user_api_key_"
"""Prefix of the fields of ``request_data`` about the caller's key, which no model reads."""


@dataclass(slots=True)
class ExtractedContent:
    """The texts and images of a request that a model may read."""

    texts: list[str] = field(default_factory=list)
    """Every text that is not blank, in order, without duplicates."""

    user_texts: list[str] = field(default_factory=list)
    """Texts of user messages."""

    images: list[str] = field(default_factory=list)
    """Every image as base64, a data URL or a URL, without duplicates."""

    _known: set[str] = field(default_factory=set)

    def add_texts(self, texts: Iterable[str]) -> None:
        """Add texts that are new and not blank."""
        for text in texts:
            if text.strip() and text not in self._known:
                self._known.add(text)
                self.texts.append(text)

    def add_images(self, images: Iterable[str]) -> None:
        """Add images that are new."""
        self.images += dict.fromkeys(image for image in images if image not in self.images)

    def add_messages(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Add all texts and images of messages; raises InputError if some content cannot be judged."""
        for message in messages:
            content = message.get("content")
            parts = content if isinstance(content, list) else [] if content is None else [content]
            if not all(isinstance(part, str | dict) for part in parts):
                raise create_unjudged_error("structured_messages")
            calls = _convert_to_list(message.get("tool_calls")) + [
                {"function": call} for call in _convert_to_list(message.get("function_call"))
            ]
            walker = ContentWalker("structured_messages")
            walker.walk({name: value for name, value in message.items() if name not in ("tool_calls", "function_call")})
            texts = [*walker.contents, "\n".join(walker.others), *map(format_tool_call, calls)]
            self.add_texts(texts)
            self.add_images(walker.images)
            if message.get("role") == "user":
                self.user_texts += [text for text in dict.fromkeys(texts) if text.strip()]

    def add_tools(self, tools: Any) -> None:
        """Add tool definitions, each as one text: names, descriptions, schemas; and all names joined."""
        names: list[str] = []
        for tool in _convert_to_list(tools):
            walker = ContentWalker("tools")
            walker.walk(tool, plain=True)
            self.add_texts(["\n".join([*walker.contents, *walker.others])])
            self.add_images(walker.images)
            names += walker.names
        self.add_texts(read_identifiers([name for name in names if " " not in split_identifier(name)], together=True))

    def add_tool_calls(self, calls: Any) -> None:
        """Add the arguments of tool calls."""
        self.add_texts(map(format_tool_call, _convert_to_list(calls)))

    def add_others(self, fields: Mapping[str, Any]) -> None:
        """Add unknown fields of the protocol; raises as :meth:`add_messages`."""
        for name, value in fields.items():
            walker = ContentWalker(None)
            walker.walk({name: value})
            self.add_texts([*walker.contents, "\n".join(walker.others)])
            self.add_images(walker.images)


def format_tool_call(call: Any) -> str:
    """Format the arguments of a tool call, one text per line; the whole call if it is not in OpenAI's form."""
    fields = call if isinstance(call, dict) else {}
    parts = [part for kind in ("function", "custom") if isinstance(part := fields.get(kind), dict)]
    arguments = [part[name] for part in parts for name in ("arguments", "input") if part.get(name) is not None]
    if not arguments:
        return "\n".join(list_json_texts(call))
    # The proxy may forward the other fields of a call, too.
    walker = ContentWalker("tool_calls")
    walker.walk({name: value for name, value in fields.items() if name not in ("function", "custom")}, plain=True)
    for part in parts:
        walker.walk({name: value for name, value in part.items() if name not in ("arguments", "input")}, plain=True)
    return "\n".join([*list_json_texts(arguments), *walker.contents, *walker.others])


def extract_content(request: GuardrailRequest) -> ExtractedContent:
    """Extract all texts and images that a model may read; raises InputError if some content cannot be judged."""
    content = ExtractedContent()
    content.add_texts(map(unfold_json, request.texts or []))
    content.add_images(request.images or [])
    content.add_messages(request.structured_messages or [])
    content.add_tool_calls(request.tool_calls)
    content.add_tools(request.tools)
    extra, data = request.model_extra or {}, request.request_data or {}
    content.add_others({name: value for name, value in extra.items() if name not in _CALL_FIELDS})
    content.add_others({name: value for name, value in data.items() if not _is_about_caller(name, value)})
    return content


def _is_about_caller(name: str, value: Any) -> bool:
    """Return whether a field of ``request_data`` is an identifier, or about the key of the proxy's caller."""
    return name.startswith(_KEY_PREFIX) or (isinstance(value, str) and not any(map(str.isspace, value)))


def _convert_to_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
