"""From an HTTP request to something the guard can judge: read, validate, check the operator's limits, decode.

Knows no model and no decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.engine.picture_questions import DEFAULT_QUESTION
from safety_core.errors import InputError, PromptError
from safety_core.images import DecodedImage
from safety_core.policies import Rules
from safety_core.prompts import Turn, check_characters, max_characters
from service.body import JSON, MULTIPART, BodyLimits, content_type, read_body, read_form
from service.errors import invalid_fields
from service.pictures import Source
from service.schemas import FormRequest, JsonRequest, Options
from service.settings import Settings
from service.state import Service

_LARGE_JSON_BYTES = 64 * 1024
"""Beyond it a body has pictures, waits for a decoder anyway, and takes the event loop's time by milliseconds."""

_MARKS_PER_ITEM = 16
"""Commas and brackets that a message or a picture may have around it."""

_MARKS_BESIDES = 64
"""Those of all other fields."""

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
    kind = content_type(request)
    options: Options
    sources: Sequence[Source]
    if kind == MULTIPART:
        options, sources = await _multipart(request, _body_limits(service.settings))
    elif kind == JSON:
        options = asked = await read_json(request, service, JsonRequest)
        sources = asked.images
    else:
        raise InputError(f"The body must be {MULTIPART} or {JSON}.", code="content_type")
    # The guard checks it too, but after a wait for its turn.
    check_characters(_turns(options), service.settings.max_prompt_tokens)
    loaded = await service.pictures.load(sources)
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
    if content_type(request) != JSON:
        raise InputError(f"The body must be {JSON}.", code="content_type")
    settings = service.settings
    limits = _body_limits(settings)
    body = await read_body(request, limits if max_bytes is None else replace(limits, max_bytes=max_bytes))
    if max_marks is None:
        # A prompt may be full of commas and brackets; so may a data URL's head.
        items = settings.max_turns + settings.max_images
        max_marks = max_characters(settings.max_prompt_tokens) + _MARKS_PER_ITEM * items + _MARKS_BESIDES
    if len(body) <= _LARGE_JSON_BYTES:
        return _parsed(body, model, max_marks)
    return await service.decoders.run(partial(_parsed, body, model, max_marks))


def guard_request(intake: Intake, rules: Rules) -> GuardRequest:
    """What to judge.

    Raises:
        PromptError: ``input_empty``.
    """
    if not intake.images and not intake.turns:
        raise PromptError("An image or a prompt is needed.", code="input_empty", param="prompt")
    return GuardRequest(images=intake.images, turns=intake.turns, heatmap=intake.options.explain, rules=rules)


def chat_request(intake: Intake, settings: Settings, rules: Rules) -> ChatRequest:
    """What to answer: the default question where there are pictures and no prompt.

    Raises:
        PromptError: ``prompt_empty``, or ``max_tokens_too_large``: caps refuse, they never cut silently.
    """
    options, turns = intake.options, intake.turns
    if options.prompt is None or not options.prompt.strip():
        if not intake.images:
            raise PromptError("An image or a prompt is needed.", code="prompt_empty", param="prompt")
        turns = (Turn(role="user", text=DEFAULT_QUESTION),)
    return ChatRequest(
        images=intake.images,
        turns=turns,
        heatmap=options.explain,
        rules=rules,
        max_tokens=token_limit(options.max_tokens, settings, param="max_tokens"),
        temperature=options.temperature or 0.0,
        top_p=1.0 if options.top_p is None else options.top_p,
        seed=options.seed,
    )


def token_limit(max_tokens: int | None, settings: Settings, *, param: str) -> int:
    """Tokens that a reply may have: what was asked for, or the operator's default.

    Raises:
        PromptError: ``max_tokens_too_large``.
    """
    if max_tokens is None:
        return min(settings.default_max_tokens, settings.max_tokens)
    if max_tokens > settings.max_tokens:
        raise PromptError(
            f"At most {settings.max_tokens} tokens can be asked for.", code="max_tokens_too_large", param=param
        )
    return max_tokens


def _turns(options: Options) -> tuple[Turn, ...]:
    return (Turn(role="user", text=options.prompt),) if options.prompt else ()


def _body_limits(settings: Settings) -> BodyLimits:
    return BodyLimits(
        max_bytes=settings.max_body_bytes,
        max_file_bytes=settings.max_image_bytes,
        max_files=settings.max_images,
        timeout_s=settings.body_timeout_s,
    )


async def _multipart(request: Request, limits: BodyLimits) -> tuple[Options, Sequence[bytes]]:
    form = await read_form(request, limits)
    if any(name != "image" for name, _ in form.files):
        raise InputError("Files are accepted in the field image only.", code="unknown_field")
    if "image" in form.texts:
        raise InputError("The field image must be a file.", code="invalid_field", param="image")
    try:
        options = FormRequest.model_validate(form.texts)
    except ValidationError as exc:
        raise invalid_fields(exc, FormRequest) from exc
    return options, [data for _, data in form.files]


def _parsed(body: bytes, model: type[_Model], max_marks: int) -> _Model:
    """The fields of a JSON body.

    A value costs hundreds of bytes, and where it is wrong a complaint of its own: 20 megabytes of ``1,1,1`` would be
    gigabytes and many seconds. So what separates values is counted before any is made.
    """
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > max_marks:
        raise InputError("The body has more commas and brackets than a request can have.", code="body_too_large")
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        raise invalid_fields(exc, model) from exc
