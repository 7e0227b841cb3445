"""From an HTTP request to something the guard can judge: read, validate, check the operator's limits, decode.

Knows no model and no decision.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fastapi import Request
from pydantic import ValidationError

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.errors import InputError, PromptError
from safety_core.images import Colour, DecodedImage, ImageLimits, decode, decode_base64
from safety_core.prompts import Turn, check_characters, max_characters
from service.body import JSON, MULTIPART, BodyLimits, content_type, read_body, read_form, too_many_images
from service.decoders import Decoders
from service.errors import invalid_fields
from service.schemas import JsonRequest, Options
from service.settings import Settings

_LARGE_JSON_BYTES = 64 * 1024
"""Beyond it a body has pictures, waits for a decoder anyway, and takes the event loop's time by milliseconds."""


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


async def read_request(request: Request, settings: Settings, decoders: Decoders, fill: Colour) -> Intake:
    """Read and decode a multipart or JSON request.

    Args:
        request: the HTTP request.
        settings: the operator's limits.
        decoders: where pictures are decoded.
        fill: colour that the model wants pictures padded with.

    Raises:
        InputError: anything is wrong with it.
    """
    limits = BodyLimits(
        max_bytes=settings.max_body_bytes,
        max_file_bytes=settings.max_image_bytes,
        max_files=settings.max_images,
        timeout_s=settings.body_timeout_s,
    )
    kind = content_type(request)
    sources: Sequence[bytes | str]
    if kind == MULTIPART:
        options, sources = await _multipart(request, limits)
    elif kind == JSON:
        options, sources = await _json(request, limits, settings, decoders)
    else:
        raise InputError(f"The body must be {MULTIPART} or {JSON}.", code="content_type")
    check_characters(_turns(options), settings.max_prompt_tokens)  # the guard does too, but after a wait for its turn
    started = time.perf_counter()
    job = partial(_decoded, limits=settings.image_limits, fill=fill)
    images = [await decoders.run(partial(job, source)) for source in sources]
    return Intake(options=options, images=tuple(images), decode_ms=1000 * (time.perf_counter() - started))


def guard_request(intake: Intake) -> GuardRequest:
    """What to judge.

    Raises:
        PromptError: ``input_empty``.
    """
    if not intake.images and not intake.turns:
        raise PromptError("An image or a prompt is needed.", code="input_empty", param="prompt")
    return GuardRequest(images=intake.images, turns=intake.turns, heatmap=intake.options.explain)


def chat_request(intake: Intake, settings: Settings) -> ChatRequest:
    """What to answer.

    Raises:
        PromptError: ``prompt_empty``, or ``max_tokens_too_large``: caps refuse, they never cut silently.
    """
    options = intake.options
    if options.prompt is None or not options.prompt.strip():
        raise PromptError("A prompt is needed.", code="prompt_empty", param="prompt")
    if options.max_tokens is not None and options.max_tokens > settings.max_tokens:
        raise PromptError(
            f"At most {settings.max_tokens} tokens can be asked for.", code="max_tokens_too_large", param="max_tokens"
        )
    return ChatRequest(
        images=intake.images,
        turns=intake.turns,
        heatmap=options.explain,
        max_tokens=options.max_tokens or min(settings.default_max_tokens, settings.max_tokens),
        temperature=options.temperature or 0.0,
        top_p=1.0 if options.top_p is None else options.top_p,
        seed=options.seed,
    )


def _turns(options: Options) -> tuple[Turn, ...]:
    return (Turn(role="user", text=options.prompt),) if options.prompt else ()


def _decoded(source: bytes | str, *, limits: ImageLimits, fill: Colour) -> DecodedImage:
    data = decode_base64(source, limits=limits) if isinstance(source, str) else source
    return decode(data, limits=limits, fill=fill)


async def _multipart(request: Request, limits: BodyLimits) -> tuple[Options, Sequence[bytes]]:
    form = await read_form(request, limits)
    if any(name != "image" for name, _ in form.files):
        raise InputError("Files are accepted in the field image only.", code="unknown_field")
    if "image" in form.texts:
        raise InputError("The field image must be a file.", code="invalid_field", param="image")
    try:
        options = Options.model_validate(form.texts)
    except ValidationError as exc:
        raise invalid_fields(exc) from exc
    return options, [data for _, data in form.files]


async def _json(
    request: Request, limits: BodyLimits, settings: Settings, decoders: Decoders
) -> tuple[Options, Sequence[str]]:
    body = await read_body(request, limits)
    # A prompt may be full of commas and brackets, each picture has a comma in its list and one in its data URL.
    max_values = max_characters(settings.max_prompt_tokens) + 2 * limits.max_files + len(JsonRequest.model_fields)
    if len(body) <= _LARGE_JSON_BYTES:
        options = _parsed(body, max_values)
    else:
        options = await decoders.run(partial(_parsed, body, max_values))
    if len(options.images) > limits.max_files:
        raise too_many_images(limits.max_files)
    return options, options.images


def _parsed(body: bytes, max_values: int) -> JsonRequest:
    """The fields of a JSON body.

    A value costs hundreds of bytes, and where it is wrong a complaint of its own: 20 megabytes of ``1,1,1`` would be
    gigabytes and many seconds. So what separates values is counted before any is made.
    """
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > max_values:
        raise InputError("The body has more commas and brackets than a request can have.", code="body_too_large")
    try:
        return JsonRequest.model_validate_json(body)
    except ValidationError as exc:
        raise invalid_fields(exc) from exc
