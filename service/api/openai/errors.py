"""Errors as OpenAI's clients expect them: OpenAI's statuses and codes.

Logs and metrics keep the server's own codes, which are the same on all paths.
"""

from dataclasses import replace

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
"""OpenAI's code for each of our image errors; all others become ``invalid_image``."""


def convert_to_openai(reply: ErrorReply) -> ErrorReply:
    """Convert an error to OpenAI's status and code; its clients handle neither 413 nor 415."""
    if reply.type != INVALID:
        return reply
    code = _CODES.get(reply.code, "invalid_image") if reply.code.startswith("image_") else reply.code
    return replace(reply, code=code, status=400 if reply.status in (413, 415) else reply.status)
