"""Reads requests to the native endpoints, and builds the engine's requests. Knows no model and no decision."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from safety_core.engine.judging.image_questions import DEFAULT_QUESTION
from safety_core.engine.messages import ChatRequest, ClientMessage, GuardRequest
from safety_core.errors import InputError, PromptError
from safety_core.inputs.conversation import Turn, check_characters
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.policy.named_policies import ActivePolicy
from service.api.schemas.requests import FormRequest, JsonRequest, Options
from service.api.token_limits import choose_token_limit
from service.endpoints import Endpoint
from service.ingress.body import JSON, get_media_type, is_json
from service.ingress.image_loader import ImageSource
from service.ingress.multipart import MULTIPART, MultipartForm
from service.ingress.validation import create_field_error
from service.pipeline import RequestContext, load_images, read_json, read_multipart
from service.settings import Settings

_IMAGE_FIELDS = re.compile(r"images?(?:\[\d*\])?")
"""Names of a form's file fields; frameworks mark multi-value fields with brackets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedRequest:
    """A request that can be judged."""

    options: Options
    """Fields of the request."""

    images: tuple[DecodedImage, ...]
    """Its images."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The conversation; empty if there is no prompt."""
        return _create_turns(self.options)


async def read_request(context: RequestContext) -> DecodedRequest:
    """Read a multipart or JSON request to a native endpoint, and decode its images.

    Raises:
        InputError: the request is invalid.
    """
    media_type = get_media_type(context.request)
    options: Options
    sources: Sequence[ImageSource]
    places: Sequence[str] = ()
    if media_type == MULTIPART:
        options, sources = await _read_form(context)
    elif is_json(media_type):
        options = body = await read_json(context, JsonRequest)
        sources = body.images or []
        places = [f"images.{index}" for index in range(len(sources))]
    else:
        raise InputError(f"The Content-Type must be {MULTIPART} or {JSON}.", code="content_type")
    # The guard checks the length too, but only after the request has waited in the queue.
    check_characters(_create_turns(options), context.get_limit("prompt_tokens"))
    return DecodedRequest(options=options, images=await load_images(context, sources, places))


async def _read_form(context: RequestContext) -> tuple[Options, Sequence[bytes]]:
    form = await read_multipart(context)
    return parse_options(form), [data for _, data in form.files]


def parse_options(form: MultipartForm) -> Options:
    """Parse the text fields of a form, and check the names of its files.

    Raises:
        InputError: a field is unknown or malformed.
    """
    if not all(_IMAGE_FIELDS.fullmatch(name) for name, _ in form.files):
        raise InputError("Files are accepted only in the field image.", code="unknown_field")
    if any(_IMAGE_FIELDS.fullmatch(name) for name in form.texts):
        raise InputError("The field image must be a file.", code="invalid_field", param="image")
    try:
        return FormRequest.model_validate(form.texts)
    except ValidationError as exc:
        raise create_field_error(exc, FormRequest) from exc


def build_guard_request(decoded: DecodedRequest, policy: ActivePolicy) -> GuardRequest:
    """Build the engine's request for a verdict.

    Raises:
        PromptError: ``input_empty``.
    """
    if not decoded.images and not decoded.turns:
        raise PromptError("An image or a prompt is required.", code="input_empty", param="prompt")
    return GuardRequest(
        images=decoded.images, turns=decoded.turns, heatmap=bool(decoded.options.explain), policy=policy
    )


def build_chat_request(
    decoded: DecodedRequest, endpoint: Endpoint, settings: Settings, policy: ActivePolicy
) -> ChatRequest:
    """Build the engine's request for a reply, with the default question if there are images but no prompt.

    Raises:
        PromptError: ``prompt_empty``, or ``max_tokens_too_large`` if the operator chose to reject it.
    """
    options, turns = decoded.options, decoded.turns
    if options.prompt is None or not options.prompt.strip():
        if not decoded.images:
            raise PromptError("An image or a prompt is required.", code="prompt_empty", param="prompt")
        turns = (Turn(role="user", text=DEFAULT_QUESTION),)
    return create_chat_request(options, endpoint, settings, policy, images=decoded.images, turns=turns)


def create_chat_request(
    options: Options,
    endpoint: Endpoint,
    settings: Settings,
    policy: ActivePolicy | None,
    *,
    images: tuple[DecodedImage, ...],
    turns: tuple[Turn, ...],
    messages: tuple[ClientMessage, ...] = (),
) -> ChatRequest:
    """Create the engine's request for a reply from the fields that all native endpoints share.

    Raises:
        PromptError: ``max_tokens_too_large``, if the operator chose to reject it.
    """
    return ChatRequest(
        images=images,
        turns=turns,
        messages=messages,
        heatmap=bool(options.explain),
        policy=policy,
        max_tokens=choose_token_limit(options.max_tokens, endpoint, settings, param="max_tokens"),
        temperature=options.temperature or 0.0,
        top_p=1.0 if options.top_p is None else options.top_p,
        seed=options.seed,
    )


def _create_turns(options: Options) -> tuple[Turn, ...]:
    return (Turn(role="user", text=options.prompt),) if options.prompt else ()
