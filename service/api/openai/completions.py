"""``POST /v1/chat/completions``: the guarded chat in the protocol of OpenAI's clients."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from safety_core.engine.messages import ChatRequest, Delta, Event, GuardVerdict, Reply
from safety_core.errors import PromptError
from safety_core.inputs.conversation import check_characters
from safety_core.policy.named_policies import ActivePolicy
from service.api.openai.completion_stream import COMPLETION_STREAM
from service.api.openai.messages import check_text_count, convert_messages
from service.api.openai.models import check_model
from service.api.openai.responses import CompletionBuilder
from service.api.openai.schemas.completions import CompletionRequest
from service.api.openai.schemas.replies import Completion
from service.api.openapi.bodies import build_json_body
from service.api.openapi.responses import NO_MODEL, OPENAI_ERRORS
from service.api.responses import Responses
from service.api.token_limits import choose_token_limit, create_limit_header
from service.endpoints import COMPLETIONS
from service.pipeline import (
    Context,
    RequestContext,
    choose_policy,
    load_images,
    read_json,
    record_stream_error,
    stream_reply,
)
from service.sse import EventStream, cancel_on_disconnect, format_data, merge_streams

router = APIRouter()

_DONE = "[DONE]"


@router.api_route(
    COMPLETIONS.path,
    methods=[COMPLETIONS.method],
    name="completions",
    response_model=Completion,
    responses={**OPENAI_ERRORS, **NO_MODEL, **COMPLETION_STREAM},
    openapi_extra=build_json_body(CompletionRequest),
    summary="Guarded chat completion (OpenAI-compatible)",
)
async def complete_chat(context: Context, responses: Responses) -> Response:
    """Judge the whole conversation and every image in it, then answer or refuse.

    A refusal is a completion with the text in `message.refusal` (or `content`, see `refusal_in`) and
    `finish_reason: content_filter`. The guard's findings are in the additional field `safevlm`. A token limit above the
    server's is lowered, which `X-SafeVLM-Max-Tokens` reports, unless the operator chose to reject it.
    """
    body = await read_json(context, CompletionRequest)
    check_model(body.model, context.service)
    policy = choose_policy(context, name=body.policy, language=body.language)
    requests = await _build_chat_requests(context, body, policy)
    context.record.add_images(requests[0])
    streams = [stream_reply(context, request, choice=index) for index, request in enumerate(requests)]
    builder = CompletionBuilder.start(
        responses,
        refusal_in=body.refusal_in or context.settings.refusal_in,
        usage_in_chunks=body.stream_options is not None and body.stream_options.include_usage is True,
    )
    headers = create_limit_header(_get_token_limit(body)[1], context.endpoint, context.settings)
    if not body.stream:
        replies = await cancel_on_disconnect(context.request, _await_replies(streams))
        return JSONResponse(builder.build_completion(replies), headers=headers)
    events = merge_streams(streams)
    # The first event decides the status line: an error before it is a plain HTTP error.
    first = await cancel_on_disconnect(context.request, anext(events))
    return EventStream(_stream(context, builder, len(requests), first, events), headers)


async def _build_chat_requests(
    context: RequestContext, body: CompletionRequest, policy: ActivePolicy
) -> list[ChatRequest]:
    """Build one request of the engine for each choice."""
    max_texts, max_choices = context.get_limit("texts"), context.get_limit("choices")
    check_text_count(len(body.messages), max_texts)
    choices = body.n or 1
    if choices > max_choices:
        raise PromptError(f"At most {max_choices} replies can be requested.", code="n_too_large", param="n")
    conversation = convert_messages(body.messages)
    check_text_count(conversation.text_count, max_texts)
    check_characters(conversation.turns, context.get_limit("prompt_tokens"))
    param, requested = _get_token_limit(body)
    max_tokens = choose_token_limit(requested, context.endpoint, context.settings, param=param)
    images = await load_images(context, conversation.sources, conversation.places)
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return [
        ChatRequest(
            images=images,
            turns=conversation.turns,
            messages=conversation.messages,
            policy=policy,
            max_tokens=max_tokens,
            temperature=body.temperature or 0.0,
            top_p=1.0 if body.top_p is None else body.top_p,
            seed=None if body.seed is None else _derive_seed(body.seed, index),
            stop=stop,
        )
        for index in range(choices)
    ]


def _get_token_limit(body: CompletionRequest) -> tuple[str, int | None]:
    """Return name and value of the field with the token limit."""
    if body.max_completion_tokens is None:
        return "max_tokens", body.max_tokens
    if body.max_tokens is None:
        return "max_completion_tokens", body.max_completion_tokens
    raise PromptError(
        "max_tokens and max_completion_tokens are equivalent; send only one of them.",
        code="invalid_field",
        param="max_tokens",
    )


def _derive_seed(seed: int, index: int) -> int:
    """Derive the 64-bit seed of a choice: the client's seed for the first, a different one for each further choice."""
    return (seed + index + 2**63) % 2**64 - 2**63


async def _await_replies(streams: Sequence[AsyncGenerator[Event, None]]) -> list[Reply]:
    """Await the final reply of each stream; if a stream fails, the others are closed."""
    replies: dict[int, Reply] = {}
    async with aclosing(merge_streams(streams)) as events:
        async for index, event in events:
            if isinstance(event, Reply):
                replies[index] = event
    return [replies[index] for index in range(len(streams))]


async def _stream(
    context: RequestContext,
    builder: CompletionBuilder,
    choices: int,
    first: tuple[int, Event],
    events: AsyncGenerator[tuple[int, Event], None],
) -> AsyncGenerator[str, None]:
    """Yield the events of all choices as Server-Sent Events."""
    replies: list[Reply] = []
    try:
        yield format_data(_build_chunk(builder, *first))
        async for index, event in events:
            if isinstance(event, Reply):
                replies.append(event)
            yield format_data(_build_chunk(builder, index, event))
        assert len(replies) == choices, "a stream ended without its reply"
        if builder.usage_in_chunks:
            yield format_data(builder.build_usage_chunk(replies))
        yield format_data(_DONE)
    except Exception as exc:
        yield format_data(record_stream_error(context, exc))
    finally:
        await events.aclose()


def _build_chunk(builder: CompletionBuilder, index: int, event: Event) -> dict[str, object]:
    if isinstance(event, GuardVerdict):
        return builder.build_first_chunk(index, event)
    if isinstance(event, Delta):
        return builder.build_text_chunk(index, event.text, is_refusal=event.refusal)
    return builder.build_last_chunk(index, event)
