"""Paths for operators: is it alive, is it ready, what does it count, what does it serve."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from safety_core.model.spec import SPEC_FILE
from service.api.openai.completions import check_model
from service.api.openapi_fragments import BAD_PATH, EXPOSITION, MODEL_LINKS, MODEL_NAME, NO_MODEL, NOT_READY
from service.api.responses import model_list, model_out
from service.api.schemas import Health, ModelList, ModelOut, Ready
from service.container import Service, service_of
from service.endpoints import HEALTHZ, METRICS, MODEL, MODELS, READYZ

router = APIRouter()


@router.api_route(
    HEALTHZ.path,
    methods=[HEALTHZ.method],
    response_model=Health,
    summary="The event loop lives",
)
async def healthz() -> JSONResponse:
    """Always 200: whoever can answer is alive."""
    return JSONResponse(Health(status="ok").sent())


@router.api_route(
    READYZ.path,
    methods=[READYZ.method],
    response_model=Ready,
    responses=NOT_READY,
    summary="The guard passed its self-check",
)
async def readyz(request: Request) -> JSONResponse:
    """200 once the model is loaded and the canary image got its known verdict, else 503.

    `detail` lists files whose newest version is not in force, and what is in force instead; the log has the reason.
    """
    service = service_of(request)
    service.readiness.require()
    stale = {file.name: file.detail for file in (service.keys, service.policies) if file.detail is not None}
    if service.settings.requires_api_keys and not service.keys.content:
        stale.setdefault(service.keys.name, "There is no valid API key; every request that needs one is refused.")
    return JSONResponse((Ready(status="ready", detail=stale) if stale else Ready(status="ready")).sent())


@router.api_route(
    METRICS.path, methods=[METRICS.method], response_class=Response, responses=EXPOSITION, summary="Prometheus metrics"
)
async def metrics(request: Request) -> Response:
    """Counters, gauges and histograms in Prometheus' text format."""
    text, media_type = service_of(request).metrics.render_exposition(request.headers.get("accept", ""))
    return Response(text, media_type=media_type)


@router.api_route(
    MODELS.path, methods=[MODELS.method], response_model=ModelList, responses=MODEL_LINKS, summary="What is served"
)
async def models(request: Request) -> JSONResponse:
    """The checkpoint, its backbone and its risk taxonomy."""
    service = service_of(request)
    return JSONResponse(model_list(service.guard.info, created=_created(service)))


@router.api_route(
    MODEL.path,
    methods=[MODEL.method],
    response_model=ModelOut,
    responses=BAD_PATH | NO_MODEL,
    openapi_extra=MODEL_NAME,
    summary="One model by name",
)
async def model(request: Request) -> JSONResponse:
    """The entry of `/v1/models` with this name."""
    service = service_of(request)
    check_model(request.path_params["model"], service)
    return JSONResponse(model_out(service.guard.info, created=_created(service)).sent())


def _created(service: Service) -> int:
    """Modification time of the checkpoint's configuration file, in seconds since 1970; 0 if it cannot be read."""
    try:
        return max(0, int((service.settings.checkpoint / SPEC_FILE).stat().st_mtime))
    except OSError:
        return 0
