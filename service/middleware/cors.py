"""CORS: lets pages of allowed origins call the server from a browser."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response

from service.errors import PERMISSION, ErrorReply

_PREFLIGHT_REJECTED = ErrorReply(
    status=403,
    message="Pages of this origin cannot use this server, or not with this method or these headers.",
    type=PERMISSION,
    code="cross_site",
)


class JsonCorsMiddleware(CORSMiddleware):
    """Starlette's middleware, with errors in the server's JSON shape."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight request."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return JSONResponse(_PREFLIGHT_REJECTED.body, _PREFLIGHT_REJECTED.status, headers=headers)


def create_cors(origins: Sequence[str], *, expose_headers: Sequence[str]) -> list[Middleware]:
    """Create the middleware for the allowed origins; none if there are none.

    It must be the outermost, so that pages can read errors as well.

    Args:
        origins: the allowed origins.
        expose_headers: response headers that pages may read.
    """
    if not origins:
        return []
    return [
        Middleware(
            JsonCorsMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],
            expose_headers=expose_headers,
        )
    ]
