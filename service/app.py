"""The application, put together: middleware, errors, routes, and a lifespan that owns every resource."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from safety_core import __version__
from safety_core.engine.messages import GuardInfo, GuardLike
from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.engine.serving.cores import CoreShare
from safety_core.errors import OverloadedError, SafeVLMError
from safety_core.inputs.images.decoding import ImageLimits
from service.access.api_keys import read_keys
from service.access.rate_limit import RateLimiter
from service.api import chat, classify, operations
from service.api.litellm import guardrail
from service.api.openai import completions, moderations, unsupported
from service.api.openai.errors import convert_to_openai
from service.api.openapi import completed
from service.api.pages import pages, playground
from service.api.policies import check_policies, check_policy_file, complain, lost_policies, read_policies
from service.api.requests import LOWERED
from service.container import Service, service_of
from service.endpoints import OPENAPI, UNMATCHED
from service.errors import ErrorReply, build_error_reply, build_status_reply, rename_field
from service.hot_reload import ReloadedFile, run_in_background
from service.ingress.decode_pool import DecodePool, start_pool
from service.ingress.error_budget import ErrorBudget
from service.ingress.image_fetcher import ImageFetcher
from service.ingress.image_loader import ImageLoader
from service.ingress.memory_budget import MemoryBudget, create_heap_trimmer
from service.middleware.admission import Traffic
from service.middleware.auth import PERMISSION, Gate
from service.middleware.in_flight import InFlightLimit
from service.middleware.route_matching import MatchedRoute
from service.readiness import Readiness
from service.settings import Settings
from service.sse import ClientLeft
from service.telemetry.audit import open_audit_log
from service.telemetry.metrics import Metrics
from service.telemetry.request_record import RequestRecord, record_of

_logger = logging.getLogger(__name__)

_Loaded = TypeVar("_Loaded")

_REQUESTS_THAT_WAIT = 4
"""Maximal requests whose pictures may wait for each decoder of expensive ones; more could not be decoded in time."""

_NO_PREFLIGHT = ErrorReply(
    status=403,
    message="Pages of this origin cannot use this server, or not with this method or these headers.",
    type=PERMISSION,
    code="cross_site",
)

_CLIENT_LEFT = 499  # nginx's name for it; nobody reads the reply, but the log line does


def create_app(settings: Settings, guard: GuardLike | None = None) -> FastAPI:
    """A server.

    Args:
        settings: what the operator chose.
        guard: what judges; loaded from ``settings.checkpoint`` at start-up where None.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Service]]:
        if guard is None:
            check_policy_file(settings)
        loaded = await asyncio.to_thread(load_configured_guard, settings) if guard is None else guard
        folding = loaded.fold_in_process()
        documented.model, documented.fitness = loaded.info.checkpoint, loaded.info.description
        metrics = Metrics(names_risk=settings.expose_risk or settings.requires_api_keys)
        rate_limiter = RateLimiter()
        keys = ReloadedFile(
            "API keys",
            [] if settings.api_keys_file is None else [settings.api_keys_file],
            lambda: read_keys(settings.api_keys_file, settings.api_keys),
            without=lambda: read_keys(None, settings.api_keys),
        )
        policies = ReloadedFile(
            "policies",
            [] if settings.policy is None else [settings.policy],
            lambda: read_policies(settings, loaded.info),
            blank_is_broken=True,  # an empty file changes nothing: stricter rules must not go by accident
        )
        check_policies(keys.content, policies.content)
        keys.add_listener(lambda found: rate_limiter.keep_only(found.keys))
        keys.add_listener(lambda found: complain(lost_policies(found, policies.content)))
        policies.add_listener(lambda found: complain(lost_policies(keys.content, found)))
        async with AsyncExitStack() as resources:
            audit_log = await resources.enter_async_context(open_audit_log(settings, checkpoint=loaded.info.checkpoint))
            resources.callback(folding.close)
            parsers = resources.enter_context(start_pool(settings.decode_workers, "prepare"))
            cores = CoreShare()
            expensive_workers = min(settings.decode_workers, max(1, cores.total // 2))
            decode_pool = DecodePool(
                workers=settings.decode_workers,
                expensive_workers=expensive_workers,
                cores=cores,
                max_waiting=_REQUESTS_THAT_WAIT * expensive_workers * settings.max_request_pixels,
                max_memory=settings.memory_bytes // 2,
            )
            resources.callback(decode_pool.close)
            died = asyncio.Event()
            engine = AsyncGuard(
                loaded,
                preparers=parsers,
                observer=metrics,
                config=settings.engine,
                on_death=died.set,
                cores=cores,
            )
            metrics.register_sources(engine, decode_pool, [keys, policies, audit_log])
            readiness = Readiness(
                engine, interval_s=settings.canary_interval_s, worker_died=died, also=audit_log.require
            )
            error_budget = ErrorBudget()

            def require_room(count: int, record: RequestRecord) -> None:
                error_budget.require_budget(record.client)
                engine.require_room(count, client=record.client, deadline=record.deadline)

            image_loader = ImageLoader(
                decode_pool=decode_pool,
                limits=image_limits(settings, loaded.info),
                max_images=settings.max_images,
                max_cost=settings.max_request_pixels,
                fill=engine.info.pad_colour,
                fetcher=ImageFetcher(
                    settings.image_url_hosts, max_bytes=settings.max_image_bytes, timeout_s=settings.image_url_timeout_s
                ),
                require_room=require_room,
            )
            service = Service(
                settings=settings,
                guard=engine,
                metrics=metrics,
                readiness=readiness,
                decode_pool=decode_pool,
                parsers=parsers,
                memory=MemoryBudget(settings.memory_bytes // 2, released=create_heap_trimmer(parsers)),
                image_loader=image_loader,
                keys=keys,
                rate_limiter=rate_limiter,
                policies=policies,
                audit_log=audit_log,
                error_budget=error_budget,
            )
            try:
                async with (
                    readiness.watching(),
                    run_in_background(keys.watch(settings.reload_interval_s)),
                    run_in_background(policies.watch(settings.reload_interval_s)),
                ):
                    yield {"service": service}
            finally:
                service.rejection_log.summarise()
                await engine.close(timeout_s=settings.shutdown_timeout_s)

    documented = _Documented(
        settings,
        title="SafeVLM Guard",
        description="A vision-language model that judges every picture and prompt before it answers.",
        version=__version__,
        lifespan=lifespan,
        middleware=[
            *_cors(settings),
            Middleware(Traffic, settings.root_path),
            Middleware(Gate, settings),
            Middleware(InFlightLimit),
        ],
        openapi_url=OPENAPI.path,
        docs_url=None,  # the framework's pages load from other hosts
        redoc_url=None,
        redirect_slashes=False,  # a redirect would echo the query
        generate_unique_id_function=lambda route: route.name,
    )
    if guard is not None:
        documented.model, documented.fitness = guard.info.checkpoint, guard.info.description
    documented.add_exception_handler(SafeVLMError, _told)
    documented.add_exception_handler(MemoryError, _told)
    documented.add_exception_handler(HTTPException, _told_status)
    documented.add_exception_handler(ClientDisconnect, _untold)
    documented.add_exception_handler(ClientLeft, _untold)
    for module in (chat, classify, completions, moderations, guardrail, operations, pages, unsupported):
        documented.include_router(module.router)
    if settings.playground:
        documented.include_router(playground.router)
    return documented


class _Cors(CORSMiddleware):
    """Starlette's middleware, whose refusals have the form of all other errors."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return JSONResponse(_NO_PREFLIGHT.body, _NO_PREFLIGHT.status, headers=headers)


def _cors(settings: Settings) -> list[Middleware]:
    """CORS middleware for the allowed origins; outermost, so that pages can read errors as well."""
    if not settings.allowed_origins:
        return []
    return [
        Middleware(
            _Cors,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],
            expose_headers=["X-Request-Id", "Retry-After", LOWERED],
        )
    ]


class _Documented(FastAPI):
    """An application whose document also says what its routes do not know."""

    model: str | None = None
    """Name of what is served, once it is known."""

    fitness: str = ""
    """What it is, and is not, fit for."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            schema["info"]["description"] += f"\n\n{self.model}: {self.fitness}" if self.fitness else ""
            self.openapi_schema = completed(schema, self._settings, model=self.model)
        return self.openapi_schema


def load_configured_guard(settings: Settings) -> GuardLike:
    """The guard that the settings ask for.

    Raises:
        SafeVLMError: the checkpoint or the device is not fit to serve.
    """
    from safety_core.engine.load import load_guard  # torch: seconds that a server with its own guard need not spend

    if settings.allows_untrained:
        _logger.warning("untrained safety modules are accepted: this server may guard nothing")
    return in_passing_thread(
        lambda: load_guard(
            settings.checkpoint,
            device=settings.device,
            dtype=settings.dtype,
            quantize=settings.quantize,
            allow_untrained=settings.allows_untrained,
            limits=settings.guard_limits,
        )
    )


def image_limits(settings: Settings, info: GuardInfo) -> ImageLimits:
    """Bounds on one image. Views are no larger than the image processor's output."""
    limits = settings.image_limits
    return limits if info.image_side is None else replace(limits, max_side=min(limits.max_side, info.image_side))


def in_passing_thread(load: Callable[[], _Loaded]) -> _Loaded:
    """Load a model in a thread that ends.

    torch gives every thread that computes helpers of its own, and helpers of two threads on the same cores make each
    other sleep at every step: judging then takes twice as long. Only the worker's thread may have any.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="load") as passing:
        return passing.submit(load).result()


async def _told(request: Request, exc: Exception) -> Response:
    reply = build_error_reply(exc)
    service_of(request).metrics.rejected.labels(reply.code).inc()
    record_of(request).error = reply.code
    exc.__traceback__ = exc.__context__ = exc.__cause__ = None  # their frames hold the body
    if isinstance(exc, OverloadedError):
        await service_of(request).error_budget.delay_overload(record_of(request))
    else:
        await service_of(request).error_budget.delay_error(record_of(request))
    route: MatchedRoute = request.state.route
    endpoint = route.endpoint or UNMATCHED
    reply = rename_field(reply, endpoint.error_fields)
    if endpoint.is_openai_compatible:
        reply = convert_to_openai(reply)
    return JSONResponse(reply.body, reply.status, headers=dict(reply.headers))


async def _told_status(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    reply = build_status_reply(exc.status_code)
    service_of(request).metrics.rejected.labels(reply.code).inc()
    record_of(request).error = reply.code
    return JSONResponse(reply.body, exc.status_code, headers=exc.headers)


async def _untold(request: Request, exc: Exception) -> Response:
    exc.__traceback__ = exc.__context__ = exc.__cause__ = None
    await service_of(request).error_budget.delay_error(record_of(request))  # the work counts, and the place stays taken
    return Response(status_code=_CLIENT_LEFT)
