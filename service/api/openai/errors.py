"""Errors as clients of other protocols expect them: OpenAI's statuses and codes, and each path's field names.

Logs and metrics keep the server's own codes, which are the same on all paths.
"""

from collections.abc import Mapping
from dataclasses import replace

from fastapi import Request
from fastapi.routing import APIRoute

from service.errors import INVALID, ErrorReply

_CODES = {
    "image_corrupt": "image_parse_error",
    "image_empty": "empty_image_file",
    "image_encoding": "invalid_base64_image",
    "image_format": "invalid_image_format",
    "image_too_large": "image_too_large",
    "image_url": "invalid_image_url",
    "image_url_failed": "failed_to_download_image",
}
"""OpenAI's code for each of our picture errors; any other is ``invalid_image``."""


_FIELDS: Mapping[str, Mapping[str, str]] = {
    "/v1/chat/completions": {"prompt": "messages"},
    "/v1/moderations": {"prompt": "input"},
    "/beta/litellm_basic_guardrail_api": {"prompt": "texts", "image": "images"},
}
"""Path → field that the guard names in its errors → the path's own field for it."""


class OpenAIRoute(APIRoute):
    """A route of the OpenAI-compatible paths, whose errors are converted by :func:`openai_reply`."""


def speaks_openai(request: Request) -> bool:
    """Whether a request was routed to one of the OpenAI-compatible paths."""
    return isinstance(request.scope.get("route"), OpenAIRoute)


def with_field_of(request: Request, reply: ErrorReply) -> ErrorReply:
    """An error about a prompt or a picture, with the name that its field has on the path of the request."""
    path = getattr(request.scope.get("route"), "path", "")
    param = _FIELDS.get(path, {}).get(reply.param or "", reply.param)
    return reply if reply.code == "unknown_field" else replace(reply, param=param)


def openai_reply(reply: ErrorReply) -> ErrorReply:
    """Convert an error to OpenAI's status and code; its clients handle neither 413 nor 415."""
    if reply.type != INVALID:
        return reply
    code = _CODES.get(reply.code, "invalid_image") if reply.code.startswith("image_") else reply.code
    return replace(reply, code=code, status=400 if reply.status in (413, 415) else reply.status)
