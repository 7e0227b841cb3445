"""``POST /v1/classify``: the verdict alone; the language model never runs."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from service.api.classification import classified
from service.api.openapi_fragments import ERRORS, request_body
from service.api.schemas import ClassifyReply
from service.endpoints import CLASSIFY

router = APIRouter()


@router.api_route(
    CLASSIFY.path,
    methods=[CLASSIFY.method],
    response_model=ClassifyReply,
    responses=ERRORS,
    openapi_extra=request_body(answered=False),
    summary="Judge images, a prompt, or both",
)
async def classify(request: Request) -> JSONResponse:
    """Risk type, level and decision, for all images together and for each. Takes what `/v1/chat` takes."""
    found = await classified(request)
    return JSONResponse(found.view.classification(found.verdict))
