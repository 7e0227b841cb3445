"""Converts the validation errors of a request to messages that quote nothing of the request.

Request schemas use this module's convention for tags of union branches, and its error type for unsupported fields.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import takewhile
from typing import Any

from pydantic import BaseModel, ValidationError

from safety_core.errors import InputError

BRANCH = "="
"""First character of the tags of union branches. Tags are part of an error's location, but not of the request; no field
name starts with it."""

NOT_SUPPORTED = "not_supported"
"""Type of the validation error of a field that is accepted only with a neutral value."""

_KNOWN_ELSEWHERE = frozenset(
    {
        "background", "chat_template_args", "context_management", "conversation", "embedding", "encoding_format",
        "explain", "file_data", "file_id", "filename", "guardrails", "image", "images", "include", "input",
        "input_audio", "instructions", "item_reference", "json_schema", "language", "max_output_tokens",
        "max_tool_calls", "num_ctx", "num_predict", "options", "parameters", "previous_response_id", "prompt",
        "quality", "response_mime_type", "schema", "size", "strict", "suffix", "system", "text_format", "truncation",
        "video_url", "voice",
    }
)  # fmt: skip
"""Names of fields of related APIs that some clients send to the wrong path or place; error messages may name them."""


def create_field_error(
    exc: ValidationError, model: type[BaseModel], document: Callable[[], object] = dict
) -> InputError:
    """Create the error for the first validation error, without values and names that the client sent.

    Args:
        exc: the errors.
        model: the request's schema. The message may name its fields, but not keys of mappings, which are the client's.
        document: returns the request as received; called if the error is in one of several images.
    """
    error = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    kind, location = error["type"], error["loc"]
    if kind == "json_invalid":
        return InputError("The body is not valid JSON.", code="body_malformed")
    known = _collect_field_names(model)
    # The tag of a branch is internal and means nothing to the client.
    steps = [step for step in location if isinstance(step, int) or not step.startswith(BRANCH)]
    unknown = steps.pop() if kind == "extra_forbidden" else None
    steps = list(takewhile(lambda step: isinstance(step, int) or step in known, steps))
    place = ".".join(map(str, steps))
    if unknown is not None:
        if unknown not in known and unknown not in _KNOWN_ELSEWHERE:
            message = f"There is an unknown field in {place}." if place else "The request has an unknown field."
            return InputError(message, code="unknown_field", param=place or None)
        place = ".".join((*filter(None, [place]), str(unknown)))
        return InputError(f"Unknown field: {place}.", code="unknown_field", param=place)
    if kind == NOT_SUPPORTED:
        message = f"{steps[-1]} is not supported; it may only be {error['msg']}."
    else:
        message = f"{place}: {error['msg']}." if place else f"{error['msg']}."  # some clients show only the message
    return InputError(f"{_create_image_prefix(document, steps)}{message}", code="invalid_field", param=place or None)


def format_image_number(number: int, images: int) -> str:
    """Format the prefix of a message about one image, counted from 1; empty if there is only one."""
    return f"Image {number}: " if images > 1 else ""


def _create_image_prefix(document: Callable[[], object], steps: Sequence[str | int]) -> str:
    """Create the prefix of a message that identifies the image with the error; empty if no image or the only one has
    it.
    """
    if not any(step in ("image_url", "images") for step in steps):
        return ""
    places = list(_find_images(document()))
    numbers = [number for number, place in enumerate(places, 1) if tuple(steps[: len(place)]) == place]
    return format_image_number(numbers[0], len(places)) if numbers else ""


def _find_images(document: object) -> Iterator[tuple[str | int, ...]]:
    """Yield the places of all images in a JSON request to any of our paths, in the order of the model's input."""
    fields = document if isinstance(document, dict) else {}
    yield from (("images", index) for index, _ in _enumerate_list(fields.get("images")))
    for index, message in _enumerate_list(fields.get("messages")):
        if isinstance(message, dict):
            yield from (("messages", index, "content", part) for part in _find_image_parts(message.get("content")))
    yield from (("input", part) for part in _find_image_parts(fields.get("input")))


def _find_image_parts(content: object) -> Iterator[int]:
    return (
        index for index, part in _enumerate_list(content) if isinstance(part, dict) and part.get("type") == "image_url"
    )


def _enumerate_list(value: object) -> Iterable[tuple[int, object]]:
    return enumerate(value) if isinstance(value, list) else ()


@cache
def _collect_field_names(model: type[BaseModel]) -> frozenset[str]:
    """Collect the names of the fields of a model and of the models within."""
    return frozenset(_find_properties(model.model_json_schema()))


def _find_properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _find_properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _find_properties(part)
