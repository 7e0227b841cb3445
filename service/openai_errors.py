"""Errors as OpenAI's clients expect them: HTTP statuses and codes of the OpenAI-compatible paths.

Logs and metrics keep the server's own codes, which are the same on all paths.
"""

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
"""Our codes of picture errors and OpenAI's; any other of ours is ``invalid_image``."""


class OpenAIRoute(APIRoute):
    """A route of the OpenAI-compatible paths: its errors are sent as :func:`openai_reply` says."""


def speaks_openai(request: Request) -> bool:
    """Whether a request was routed to one of the OpenAI-compatible paths."""
    return isinstance(request.scope.get("route"), OpenAIRoute)


def openai_reply(reply: ErrorReply) -> ErrorReply:
    """An error with OpenAI's status and code: 413 and 415 are unknown there, and pictures have codes of their own."""
    if reply.type != INVALID:
        return reply
    code = _CODES.get(reply.code, "invalid_image") if reply.code.startswith("image_") else reply.code
    return replace(reply, code=code, status=400 if reply.status in (413, 415) else reply.status)
