"""``POST /v1/moderations``: verdicts in the protocol of OpenAI's clients; the language model never runs."""

from functools import partial

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from safety_core.engine.messages import GuardRequest
from safety_core.errors import PromptError
from safety_core.inputs.conversation import Turn
from safety_core.policy.named_policies import ActivePolicy
from service.api.openai.models import check_moderation_model
from service.api.openai.responses import build_moderation
from service.api.openai.schemas.moderations import ModerationRequest
from service.api.openai.schemas.parts import ImagePart, TextPart
from service.api.openai.schemas.replies import Moderation
from service.api.openapi.bodies import build_json_body
from service.api.openapi.responses import NO_MODEL, OPENAI_ERRORS
from service.api.responses import Responses
from service.api.text_windows import assess_in_windows, check_length, create_window_limits
from service.endpoints import MODERATIONS
from service.pipeline import Context, RequestContext, choose_policy, judge, load_images, read_json

router = APIRouter()


@router.api_route(
    MODERATIONS.path,
    methods=[MODERATIONS.method],
    name="moderations",
    response_model=Moderation,
    responses={**OPENAI_ERRORS, **NO_MODEL},
    openapi_extra=build_json_body(ModerationRequest),
    summary="Judge texts and images (OpenAI-compatible)",
)
async def moderate(context: Context, responses: Responses) -> JSONResponse:
    """Returns one result for a string, one per string for a list of strings, and one for a list of text and image
    parts.

    Risk types are reported under their own names, and under OpenAI's names of equivalent categories. `model` in the
    reply is the served checkpoint, even if the request names one of OpenAI's models.
    """
    body = await read_json(context, ModerationRequest)
    check_moderation_model(body.model, context.service)
    policy = choose_policy(context, name=body.policy, language=None)
    requests = await _build_guard_requests(context, body, policy)
    limits, deadline = create_window_limits(context.endpoint, context.settings), context.record.deadline
    assess_parts = partial(assess_in_windows, limits=limits, deadline=deadline)
    verdicts = await judge(context, requests, assess_parts=assess_parts)
    return JSONResponse(build_moderation(responses, context.service.guard.info, verdicts))


async def _build_guard_requests(
    context: RequestContext, body: ModerationRequest, policy: ActivePolicy
) -> list[GuardRequest]:
    """Build one request of the engine for each input."""
    inputs = [body.input] if isinstance(body.input, str) else body.input
    texts = [part if isinstance(part, str) else part.text for part in inputs if isinstance(part, str | TextPart)]
    image_parts = [(index, part) for index, part in enumerate(inputs) if isinstance(part, ImagePart)]
    limit = context.get_limit("texts")
    if len(inputs) > limit + len(image_parts):
        raise PromptError(f"At most {limit} texts are accepted.", code="too_many_inputs", param="input")
    is_one_item = bool(image_parts) or any(isinstance(part, TextPart) for part in inputs)
    items = ["\n".join(texts)] if is_one_item else texts
    empty = next((index for index, text in enumerate(items) if not text.strip()), None)
    if not inputs or (not image_parts and empty is not None):
        place = "input" if is_one_item or len(items) < 2 else f"input.{empty}"
        raise PromptError("There is nothing to judge.", code="input_empty", param=place)
    parts = tuple(texts) if is_one_item and len(texts) > 1 else ()
    turns = [(Turn(role="user", text=text, parts=parts),) if text.strip() else () for text in items]
    check_length(texts, create_window_limits(context.endpoint, context.settings))
    images = await load_images(
        context,
        sources=[part.image_url.url for _, part in image_parts],
        places=[f"input.{index}.image_url.url" for index, _ in image_parts],
    )
    return [GuardRequest(images=images, turns=conversation, policy=policy) for conversation in turns]
