"""Reads the conversations that the playground's page sends: a form with messages as JSON, and their images.

A conversation is judged as ``/v1/chat/completions`` judges the same messages. Knows no model and no decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.errors import InputError
from safety_core.inputs.conversation import check_characters
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.policy.named_policies import ActivePolicy
from service.api.openai.messages import Conversation, check_text_count, convert_messages
from service.api.openai.schemas.messages import Message
from service.api.openai.schemas.parts import ImagePart, ImageUrl, TextPart
from service.api.requests import create_chat_request, parse_options
from service.api.schemas.requests import Options
from service.ingress.body import get_media_type
from service.ingress.image_loader import ImageSource
from service.ingress.multipart import MULTIPART, MultipartForm
from service.pipeline import RequestContext, load_images, parse_body, read_multipart

FIELD = "conversation"
"""Field of the form that contains the messages."""


class PageMessage(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    role: Literal["user", "assistant"]
    content: str = ""
    images: list[Annotated[int, Field(ge=0)]] = []
    """Indices of the form's images: its files in order, then its URLs."""


class PageConversation(BaseModel):
    """The field ``conversation``."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    messages: list[PageMessage] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedConversation:
    """A conversation that can be judged."""

    options: Options
    """The other fields of the form."""

    images: tuple[DecodedImage, ...]
    """The images, in the order of the messages."""

    conversation: Conversation
    """The messages."""


async def read_conversation(context: RequestContext) -> DecodedConversation:
    """Read a form with a conversation, and decode its images.

    Raises:
        InputError: the form is invalid.
        SafeVLMError: as :func:`service.pipeline.load_images`.
    """
    if get_media_type(context.request) != MULTIPART:
        raise InputError(f"The Content-Type must be {MULTIPART}.", code="content_type")
    form = await read_multipart(context, with_urls=True)
    document = await _parse_document(context, form)
    options = parse_options(form)
    if options.prompt is not None:
        raise InputError("Unknown field: prompt.", code="unknown_field", param="prompt")
    sources: list[ImageSource] = [*(data for _, data in form.files), *form.image_urls]
    _check_images(document, len(sources))
    limit = context.get_limit("texts")
    check_text_count(len(document.messages), limit)
    conversation = convert_messages([_convert_message(message) for message in document.messages])
    check_text_count(conversation.text_count, limit)
    check_characters(conversation.turns, context.get_limit("prompt_tokens"))
    # The URLs of the converted messages are indices into the form's images.
    ordered = [sources[int(index)] for index in conversation.sources]
    images = await load_images(context, ordered)
    return DecodedConversation(options=options, images=images, conversation=conversation)


def build_guard_request(decoded: DecodedConversation, policy: ActivePolicy) -> GuardRequest:
    """Build the engine's request for a verdict, with heatmaps."""
    conversation = decoded.conversation
    return GuardRequest(
        images=decoded.images, turns=conversation.turns, messages=conversation.messages, heatmap=True, policy=policy
    )


def build_chat_request(
    decoded: DecodedConversation, context: RequestContext, policy: ActivePolicy | None
) -> ChatRequest:
    """Build the engine's request for a reply; raises PromptError as :func:`create_chat_request` does."""
    return create_chat_request(
        decoded.options,
        context.endpoint,
        context.settings,
        policy,
        images=decoded.images,
        turns=decoded.conversation.turns,
        messages=decoded.conversation.messages,
    )


async def _parse_document(context: RequestContext, form: MultipartForm) -> PageConversation:
    """Remove the conversation from the text fields of a form, and parse it."""
    text = form.texts.pop(FIELD, None)
    if text is None:
        raise InputError("The field conversation is required.", code="invalid_field", param=FIELD)
    try:
        return await parse_body(context, text.encode(), PageConversation, charset="utf-8")
    except InputError as exc:
        if exc.code == "body_malformed":
            raise InputError("The field conversation is not JSON.", code="invalid_field", param=FIELD) from exc
        place = FIELD if exc.param is None else f"{FIELD}.{exc.param}"
        raise InputError(exc.message, code=exc.code, param=place) from exc


def _check_images(document: PageConversation, images: int) -> None:
    """Reject a conversation whose messages do not show each image exactly once."""
    shown = [index for message in document.messages for index in message.images]
    if sorted(shown) != list(range(images)):
        raise InputError("Each image must be in exactly one message.", code="invalid_field", param=FIELD)


def _convert_message(message: PageMessage) -> Message:
    """Convert a message to OpenAI's format; an image becomes a part with its index as the URL."""
    images: Sequence[ImagePart | TextPart] = [
        ImagePart(type="image_url", image_url=ImageUrl(url=str(index))) for index in message.images
    ]
    texts = [TextPart(type="text", text=message.content)] if message.content else []
    return Message(role=message.role, content=[*images, *texts])
