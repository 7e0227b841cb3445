"""Assembles the application: middleware, routes, error handlers, and the lifespan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from safety_core import __version__
from safety_core.engine.protocols import GuardLike
from service.api import chat, classify, operations, token_limits
from service.api.error_handlers import add_error_handlers
from service.api.litellm import guardrail
from service.api.openai import completions, moderations, unsupported
from service.api.openapi.document import DocumentedApp
from service.api.pages import comparison, pages, playground
from service.container import Service
from service.endpoints import OPENAPI
from service.middleware.admission import AdmissionMiddleware
from service.middleware.auth import AuthMiddleware
from service.middleware.cors import create_cors
from service.middleware.in_flight import InFlightLimit
from service.settings import Settings
from service.startup.lifespan import open_service


def create_app(settings: Settings, guard: GuardLike | None = None) -> FastAPI:
    """Create a server.

    Args:
        settings: settings of the operator.
        guard: the guard; loaded as the settings say, at start-up, if None.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Service]]:
        async with open_service(settings, guard) as service:
            application.model = service.guard.info
            yield {"service": service}

    application = DocumentedApp(
        settings,
        title="SafeVLM Guard",
        description="A vision-language model that judges every image and prompt before it answers.",
        version=__version__,
        lifespan=lifespan,
        middleware=[
            *create_cors(settings.allowed_origins, expose_headers=["X-Request-Id", "Retry-After", token_limits.HEADER]),
            Middleware(AdmissionMiddleware, settings.root_path),
            Middleware(AuthMiddleware, settings),
            Middleware(InFlightLimit),
        ],
        openapi_url=OPENAPI.path,
        docs_url=None,  # the framework's pages load from other hosts
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the query string
        generate_unique_id_function=lambda route: route.name,
    )
    if guard is not None:
        application.model = guard.info
    add_error_handlers(application)
    for module in (chat, classify, completions, moderations, guardrail, operations, pages, unsupported):
        application.include_router(module.router)
    if settings.playground:
        # The comparison answers 404 unless it is switched on; without its route, the path would be another one's.
        for module in (comparison, playground):
            application.include_router(module.router)
    return application
