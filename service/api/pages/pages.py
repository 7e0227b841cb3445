"""Pages for browsers: the start page and the documentation of the API. They are not a stable interface."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from safety_core import __version__
from service.api.pages import documentation
from service.endpoints import DOCS, DOCS_FILE, REDOC, ROOT
from service.pipeline import Context

router = APIRouter(include_in_schema=False)


@router.api_route(ROOT.path, methods=[ROOT.method])
async def show_root(context: Context) -> Response:
    """Redirect browsers to the playground, and list the server's pages for other clients; all links are relative."""
    request, service = context.request, context.service
    prefix, raw_path = request.scope.get("root_path", ""), request.scope.get("raw_path") or b"/"
    if prefix and not raw_path.endswith(b"/"):  # /guard: links are relative to the path without its last part
        return RedirectResponse(prefix.rpartition("/")[2] + "/", 307)
    if service.settings.playground and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("playground", 307)
    info = service.guard.info
    paths = {"api": "v1/models", "documentation": "docs", "openapi": "openapi.json", "ready": "readyz"}
    if service.settings.playground:
        paths["playground"] = "playground"
    return JSONResponse(
        {
            "name": "SafeVLM Guard",
            "version": __version__,
            "model": info.checkpoint,
            "description": info.description,
            "paths": paths,
        }
    )


@router.api_route(DOCS.path, methods=[DOCS.method])
async def show_docs() -> HTMLResponse:
    """The OpenAPI document in Swagger UI, which can also send requests."""
    return HTMLResponse(documentation.PAGES["docs"], headers=documentation.HEADERS)


@router.api_route(REDOC.path, methods=[REDOC.method])
async def show_redoc() -> HTMLResponse:
    """The OpenAPI document in Redoc, read-only."""
    return HTMLResponse(documentation.PAGES["redoc"], headers=documentation.HEADERS)


@router.api_route(DOCS_FILE.path, methods=[DOCS_FILE.method])
async def send_docs_file(name: str) -> Response:
    """A script or style sheet of these pages."""
    try:
        data, media_type = documentation.read_asset(name)
    except KeyError as exc:
        raise HTTPException(404) from exc
    return Response(data, media_type=media_type, headers=documentation.HEADERS)
