"""Paths of OpenAI's API that are not served here: the error names the path to use, if there is one."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from safety_core.errors import InputError
from service.api.openai.errors import OpenAIRoute

router = APIRouter(route_class=OpenAIRoute)

UNSUPPORTED = {
    "/v1/responses": "/v1/chat/completions",
    "/v1/completions": "/v1/chat/completions",
    "/v1/embeddings": None,
    "/v1/images/generations": None,
    "/v1/images/edits": None,
    "/v1/images/variations": None,
    "/v1/audio/speech": None,
    "/v1/audio/transcriptions": None,
    "/v1/audio/translations": None,
}
"""Path → the served path with the same purpose, None if there is none."""


async def unsupported(request: Request) -> Response:
    """Always 404 with the code ``unsupported_endpoint``; clients would retry after a 5xx."""
    path = request.scope["route"].path
    instead = UNSUPPORTED[path]
    advice = "" if instead is None else f"; use {instead} instead"
    raise InputError(f"{path} is not supported by this server{advice}.", code="unsupported_endpoint")


for _path in UNSUPPORTED:
    router.add_api_route(_path, unsupported, methods=["POST"], include_in_schema=False)
