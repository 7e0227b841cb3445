"""Paths of OpenAI's API that are not supported: the error names the path to use instead, if there is one."""

from fastapi import APIRouter
from fastapi.responses import Response

from safety_core.errors import InputError
from service.endpoints import UNSUPPORTED
from service.pipeline import Context

router = APIRouter()


async def reject_unsupported(context: Context) -> Response:
    """Always raise InputError ``unsupported_endpoint`` (404), because clients would retry after a 5xx."""
    endpoint = context.endpoint
    advice = "" if endpoint.substitute is None else f"; use {endpoint.substitute} instead"
    raise InputError(f"{endpoint.path} is not supported by this server{advice}.", code="unsupported_endpoint")


for _endpoint in UNSUPPORTED:
    router.add_api_route(
        _endpoint.path, reject_unsupported, methods=[_endpoint.method], include_in_schema=_endpoint.is_documented
    )
