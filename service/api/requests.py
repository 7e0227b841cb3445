"""From an HTTP request to something the guard can judge: read, validate, check the operator's limits, decode.

Knows no model and no decision.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from safety_core.engine.judging.picture_questions import DEFAULT_QUESTION
from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.errors import InputError, PromptError
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.inputs.prompts import Turn, check_characters, max_characters
from safety_core.policy.book import ActivePolicy
from service.api.schemas import FormRequest, JsonRequest, Options
from service.container import Service
from service.endpoints import CHAT, Endpoint
from service.ingress.body import (
    JSON,
    MULTIPART,
    BodyLimits,
    get_media_type,
    is_json,
    parse_charset,
    read_body,
    read_form,
)
from service.ingress.decode_pool import enforce_deadline
from service.ingress.image_loader import ImageSource
from service.ingress.json_body import parse_json
from service.ingress.validation import create_field_error
from service.settings import Settings
from service.sse import unless_client_leaves
from service.telemetry.request_record import record_of

_LARGE_JSON_BYTES = 64 * 1024
"""Bodies above this size are parsed in a thread, because parsing would block the event loop for milliseconds."""

_MARKS_PER_ITEM = 16
"""Commas and brackets that a message or a picture may have around it."""

_MARKS_BESIDES = 64
"""Those of all other fields."""

LOWERED = "X-SafeVLM-Max-Tokens"
"""Header with the applied token limit, if the request asked for more."""

_PICTURES = re.compile(r"images?(?:\[\d*\])?")
"""Names of a form's file fields; frameworks mark multi-value fields with brackets."""

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A request that is fit to be judged."""

    options: Options
    """What the client asked for."""

    images: tuple[DecodedImage, ...]
    """Its pictures."""

    decode_ms: float
    """Milliseconds that decoding took, waiting for a decoder included."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The conversation; empty where there is no prompt."""
        return _turns(self.options)


async def read_request(request: Request, service: Service) -> Intake:
    """Read and decode a multipart or JSON request of our own paths.

    Raises:
        InputError: anything is wrong with it.
    """
    kind = get_media_type(request)
    options: Options
    sources: Sequence[ImageSource]
    places: Sequence[str] = ()
    if kind == MULTIPART:
        options, sources = await _multipart(request, service)
    elif is_json(kind):
        options = asked = await read_json(request, service, JsonRequest)
        sources = asked.images or []
        places = [f"images.{index}" for index in range(len(sources))]
    else:
        raise InputError(f"The Content-Type must be {MULTIPART} or {JSON}.", code="content_type")
    # The guard checks it too, but after a wait for its turn.
    check_characters(_turns(options), service.settings.max_prompt_tokens)
    loaded = await unless_client_leaves(request, service.image_loader.load(sources, record_of(request), places))
    return Intake(options=options, images=loaded.images, decode_ms=loaded.decode_ms)


async def read_json(
    request: Request,
    service: Service,
    model: type[_Model],
    *,
    max_bytes: int | None = None,
    max_marks: int | None = None,
) -> _Model:
    """Read and validate a JSON body.

    Args:
        request: whose body it is.
        service: whose limits it must keep.
        model: what it should be.
        max_bytes: where it may be less long than a body with pictures.
        max_marks: commas and opening brackets, where it may have others than a conversation.

    Raises:
        InputError: it is too large, malformed, or not what the model says.
    """
    if not is_json(get_media_type(request)):
        raise InputError(f"The Content-Type must be {JSON}.", code="content_type")
    charset = parse_charset(request.headers.get("content-type"))
    settings = service.settings
    limits = _body_limits(settings)
    record = record_of(request)
    body = await read_body(
        request, limits if max_bytes is None else replace(limits, max_bytes=max_bytes), record.memory
    )
    record.deadline = time.monotonic() + settings.verdict_timeout_s
    if max_marks is None:
        # A prompt may be full of commas and brackets; so may a data URL's head.
        items = settings.max_turns + settings.max_images
        max_marks = max_characters(settings.max_prompt_tokens) + _MARKS_PER_ITEM * items + _MARKS_BESIDES
    if len(body) <= _LARGE_JSON_BYTES:
        return parse_json(body, model, max_elements=max_marks, charset=charset)
    if record.memory is not None:
        record.memory.grow(len(body))  # what is made of it; the body itself goes with this function
    async with enforce_deadline(record.deadline):
        parsed = await asyncio.get_running_loop().run_in_executor(
            service.parsers, partial(parse_json, body, model, max_elements=max_marks, charset=charset)
        )
    if record.memory is not None:
        record.memory.shrink(len(body))
    return parsed


def guard_request(intake: Intake, rules: ActivePolicy) -> GuardRequest:
    """What to judge.

    Raises:
        PromptError: ``input_empty``.
    """
    if not intake.images and not intake.turns:
        raise PromptError("An image or a prompt is required.", code="input_empty", param="prompt")
    return GuardRequest(images=intake.images, turns=intake.turns, heatmap=bool(intake.options.explain), rules=rules)


def chat_request(intake: Intake, settings: Settings, rules: ActivePolicy) -> ChatRequest:
    """The prompt to answer; the default question if there are pictures but no prompt.

    Raises:
        PromptError: ``prompt_empty``, or ``max_tokens_too_large`` if the operator chose to reject it.
    """
    options, turns = intake.options, intake.turns
    if options.prompt is None or not options.prompt.strip():
        if not intake.images:
            raise PromptError("An image or a prompt is required.", code="prompt_empty", param="prompt")
        turns = (Turn(role="user", text=DEFAULT_QUESTION),)
    return ChatRequest(
        images=intake.images,
        turns=turns,
        heatmap=bool(options.explain),
        rules=rules,
        max_tokens=token_limit(options.max_tokens, settings, param="max_tokens", clamp=clamps_tokens(CHAT, settings)),
        temperature=options.temperature or 0.0,
        top_p=1.0 if options.top_p is None else options.top_p,
        seed=options.seed,
    )


def token_limit(max_tokens: int | None, settings: Settings, *, param: str, clamp: bool) -> int:
    """Token limit of a reply: the requested one, or the operator's default.

    Args:
        max_tokens: the requested limit.
        settings: the operator's limits.
        param: the request field, as the client spelled it.
        clamp: whether a larger limit is lowered to the operator's; :func:`lowered` then reports it to the client.

    Raises:
        PromptError: ``max_tokens_too_large``.
    """
    if max_tokens is None:
        return min(settings.default_max_tokens, settings.max_tokens)
    if max_tokens > settings.max_tokens and not clamp:
        raise PromptError(f"{param} may be at most {settings.max_tokens}.", code="max_tokens_too_large", param=param)
    return min(max_tokens, settings.max_tokens)


def clamps_tokens(endpoint: Endpoint, settings: Settings) -> bool:
    """Whether an endpoint lowers a token limit above the operator's, instead of rejecting the request."""
    return settings.clamps_openai if endpoint.is_openai_compatible else settings.clamps_own


def lowered(max_tokens: int | None, settings: Settings) -> dict[str, str]:
    """Header of a reply whose token limit was lowered to the operator's; otherwise no header."""
    is_lowered = max_tokens is not None and max_tokens > settings.max_tokens
    return {LOWERED: str(settings.max_tokens)} if is_lowered else {}


def _turns(options: Options) -> tuple[Turn, ...]:
    return (Turn(role="user", text=options.prompt),) if options.prompt else ()


def _body_limits(settings: Settings) -> BodyLimits:
    return BodyLimits(
        max_bytes=settings.max_body_bytes,
        max_file_bytes=settings.max_image_bytes,
        max_files=settings.max_images,
        timeout_s=settings.body_timeout_s,
    )


async def _multipart(request: Request, service: Service) -> tuple[Options, Sequence[bytes]]:
    record = record_of(request)
    form = await read_form(request, _body_limits(service.settings), record.memory)
    record.deadline = time.monotonic() + service.settings.verdict_timeout_s
    if not all(_PICTURES.fullmatch(name) for name, _ in form.files):
        raise InputError("Files are accepted only in the field image.", code="unknown_field")
    if any(_PICTURES.fullmatch(name) for name in form.texts):
        raise InputError("The field image must be a file.", code="invalid_field", param="image")
    try:
        options = FormRequest.model_validate(form.texts)
    except ValidationError as exc:
        raise create_field_error(exc, FormRequest) from exc
    return options, [data for _, data in form.files]
