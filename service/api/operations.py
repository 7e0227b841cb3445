"""Endpoints for operators: liveness, readiness, metrics, and the model that is served."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from safety_core.model.spec import SPEC_FILE
from service.api.openai.models import check_model
from service.api.openapi.responses import BAD_PATH, EXPOSITION, MODEL_LINKS, MODEL_NAME, NO_MODEL, NOT_READY
from service.api.responses import build_fallback, build_model, build_model_list
from service.api.schemas.replies import Health, ModelList, ModelOut, Ready
from service.container import Service
from service.endpoints import HEALTHZ, METRICS, MODEL, MODELS, READYZ
from service.pipeline import Context

router = APIRouter()


@router.api_route(
    HEALTHZ.path,
    methods=[HEALTHZ.method],
    name="healthz",
    response_model=Health,
    summary="Liveness",
)
async def report_health() -> JSONResponse:
    """Returns 200 as long as the event loop runs."""
    return JSONResponse(Health(status="ok").dump())


@router.api_route(
    READYZ.path,
    methods=[READYZ.method],
    name="readyz",
    response_model=Ready,
    responses=NOT_READY,
    summary="Readiness",
)
async def report_readiness(context: Context) -> JSONResponse:
    """Returns 200 once the model is loaded and the canary image got its expected verdict, otherwise 503.

    `detail` lists files whose newest version is not in force, and what is in force instead; the log has the reason.
    `fallback` is present if another checkpoint than the configured one is served.
    """
    service = context.service
    service.readiness.require()
    stale = {
        file.name: file.failure_summary for file in (service.keys, service.policies) if file.failure_summary is not None
    }
    if service.settings.requires_api_keys and not service.keys.content:
        stale.setdefault(service.keys.name, "No API key is valid; every request that requires an API key is rejected.")
    fields: dict[str, Any] = {"detail": stale} if stale else {}
    return JSONResponse(Ready(status="ready", **fields, **build_fallback(service.guard.info.fallback)).dump())


@router.api_route(
    METRICS.path,
    methods=[METRICS.method],
    name="metrics",
    response_class=Response,
    responses=EXPOSITION,
    summary="Prometheus metrics",
)
async def expose_metrics(context: Context) -> Response:
    """Counters, gauges and histograms in Prometheus's text format."""
    accept = context.request.headers.get("accept", "")
    text, media_type = context.service.metrics.render_exposition(accept)
    return Response(text, media_type=media_type)


@router.api_route(
    MODELS.path,
    methods=[MODELS.method],
    name="models",
    response_model=ModelList,
    responses=MODEL_LINKS,
    summary="The served model",
)
async def list_models(context: Context) -> JSONResponse:
    """The checkpoint, its backbone and its risk taxonomy."""
    service = context.service
    return JSONResponse(build_model_list(service.guard.info, created=_read_creation_time(service)))


@router.api_route(
    MODEL.path,
    methods=[MODEL.method],
    name="model",
    response_model=ModelOut,
    responses=BAD_PATH | NO_MODEL,
    openapi_extra=MODEL_NAME,
    summary="One model by name",
)
async def describe_model(context: Context) -> JSONResponse:
    """The entry of `/v1/models` with this name."""
    service = context.service
    check_model(context.request.path_params["model"], service)
    return JSONResponse(build_model(service.guard.info, created=_read_creation_time(service)).dump())


def _read_creation_time(service: Service) -> int:
    """Read the modification time of the checkpoint's specification, in seconds since 1970; 0 if it cannot be read."""
    settings, is_fallback = service.settings, service.guard.info.fallback is not None
    checkpoint = (settings.fallback_checkpoint if is_fallback else None) or settings.checkpoint
    try:
        return max(0, int((checkpoint / SPEC_FILE).stat().st_mtime))
    except OSError:
        return 0
