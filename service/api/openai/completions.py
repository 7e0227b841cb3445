"""``POST /v1/chat/completions``: the guarded chat in the protocol of OpenAI's clients."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from safety_core.engine.messages import ChatRequest, Delta, Event, GuardVerdict, Reply
from safety_core.errors import InputError, PromptError
from safety_core.inputs.prompts import check_characters
from safety_core.policy.book import ActivePolicy
from service.api.answering import Chat, broken_off, counted
from service.api.openai.messages import dialogue_of
from service.api.openai.responses import CompletionView
from service.api.openai.schemas import Completion, CompletionRequest
from service.api.openapi_fragments import CHUNKS, NO_MODEL, OPENAI_ERRORS, json_body
from service.api.policies import rules_for
from service.api.requests import clamps_tokens, lowered, read_json, token_limit
from service.container import Service, service_of, view_of
from service.endpoints import COMPLETIONS
from service.sse import EventStream, data_line, merged, unless_client_leaves
from service.telemetry.request_record import RequestRecord, record_of

router = APIRouter()

_DONE = "[DONE]"


@router.api_route(
    COMPLETIONS.path,
    methods=[COMPLETIONS.method],
    response_model=Completion,
    responses={**OPENAI_ERRORS, **NO_MODEL, **CHUNKS},
    openapi_extra=json_body(CompletionRequest),
    summary="Ask about images, guarded, as OpenAI's clients do",
)
async def completions(request: Request) -> Response:
    """Judge the whole conversation and every picture in it, then answer or refuse.

    A refusal is a completion with the text in `message.refusal` (or `content`, see `refusal_in`) and
    `finish_reason: content_filter`. The guard's findings are in the additional field `safevlm`. A token limit above the
    server's is lowered, which `X-SafeVLM-Max-Tokens` reports, unless the operator chose to reject it.
    """
    service = service_of(request)
    service.readiness.require()
    asked = await read_json(request, service, CompletionRequest)
    check_model(asked.model, service)
    rules = rules_for(request, policy=asked.policy, language=asked.language)
    record = record_of(request)
    chats = await unless_client_leaves(request, _chats(service, asked, rules, record))
    streams = [counted(service, chat) for chat in chats]
    view = view_of(request, decode_ms=chats[0].decode_ms)
    refusal_in = asked.refusal_in or service.settings.refusal_in
    headers = lowered(_max_tokens(asked)[1], service.settings)
    if not asked.stream:
        replies = await unless_client_leaves(request, _replies(streams))
        return JSONResponse(CompletionView.of(view, refusal_in=refusal_in).whole(replies), headers=headers)
    with_usage = asked.stream_options is not None and asked.stream_options.include_usage is True
    events = merged(streams)
    # The first event decides the status line: whatever fails before it is a plain HTTP error.
    first = await unless_client_leaves(request, anext(events))
    told = CompletionView.of(view, refusal_in=refusal_in, usage_in_chunks=with_usage)
    return EventStream(_stream(service, record, told, len(chats), first, events), headers)


def check_model(name: str | None, service: Service) -> None:
    """Raise InputError ``model_not_found`` unless it is the one that is served."""
    if name is not None and name != service.guard.info.checkpoint:
        raise InputError(
            "There is no such model; /v1/models names the one there is.", code="model_not_found", param="model"
        )


async def _chats(service: Service, asked: CompletionRequest, rules: ActivePolicy, record: RequestRecord) -> list[Chat]:
    """One chat for each choice that is wanted."""
    settings = service.settings
    _check_count(len(asked.messages), settings.max_turns)
    choices = asked.n or 1
    if choices > settings.max_choices:
        raise PromptError(f"At most {settings.max_choices} replies can be asked for.", code="n_too_large", param="n")
    dialogue = dialogue_of(asked.messages)
    _check_count(sum(len(turn.parts) or 1 for turn in dialogue.turns), settings.max_turns)
    check_characters(dialogue.turns, settings.max_prompt_tokens)
    param, wanted = _max_tokens(asked)
    max_tokens = token_limit(wanted, settings, param=param, clamp=clamps_tokens(COMPLETIONS, settings))
    loaded = await service.image_loader.load(dialogue.sources, record, dialogue.places)
    stop = (asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ())
    chats = [
        Chat(
            record=record,
            request=ChatRequest(
                images=loaded.images,
                turns=dialogue.turns,
                messages=dialogue.messages,
                rules=rules,
                max_tokens=max_tokens,
                temperature=asked.temperature or 0.0,
                top_p=1.0 if asked.top_p is None else asked.top_p,
                seed=None if asked.seed is None else _seed(asked.seed, index),
                stop=stop,
            ),
            decode_ms=loaded.decode_ms,
            choice=index,
        )
        for index in range(choices)
    ]
    record.add_images(chats[0].request)
    return chats


async def _replies(streams: Sequence[AsyncGenerator[Event, None]]) -> list[Reply]:
    """The reply that each stream ends with; where one fails, the others are closed."""
    replies: dict[int, Reply] = {}
    async with aclosing(merged(streams)) as events:
        async for index, event in events:
            if isinstance(event, Reply):
                replies[index] = event
    return [replies[index] for index in range(len(streams))]


def _check_count(texts: int, limit: int) -> None:
    """Refuse more messages, or texts in them, than are judged one by one."""
    if texts > limit:
        raise PromptError(
            f"At most {limit} messages, and texts in them, are accepted.", code="too_many_messages", param="messages"
        )


def _max_tokens(asked: CompletionRequest) -> tuple[str, int | None]:
    """Name and value of the field with the token limit."""
    if asked.max_completion_tokens is None:
        return "max_tokens", asked.max_tokens
    if asked.max_tokens is None:
        return "max_completion_tokens", asked.max_completion_tokens
    raise PromptError(
        "max_tokens and max_completion_tokens mean the same; send one.", code="invalid_field", param="max_tokens"
    )


def _seed(seed: int, index: int) -> int:
    """Seed of a choice: the client's for the first, another for each further one, within 64 bits."""
    return (seed + index + 2**63) % 2**64 - 2**63


async def _stream(
    service: Service,
    record: RequestRecord,
    view: CompletionView,
    choices: int,
    first: tuple[int, Event],
    events: AsyncGenerator[tuple[int, Event], None],
) -> AsyncGenerator[str, None]:
    replies: list[Reply] = []
    try:
        yield data_line(_chunk(view, *first))
        async for index, event in events:
            if isinstance(event, Reply):
                replies.append(event)
            yield data_line(_chunk(view, index, event))
        assert len(replies) == choices, "a stream ended without its reply"
        if view.usage_in_chunks:
            yield data_line(view.usage(replies))
        yield data_line(_DONE)
    except Exception as exc:
        yield data_line(broken_off(service, record, exc))
    finally:
        await events.aclose()


def _chunk(view: CompletionView, index: int, event: Event) -> dict[str, object]:
    if isinstance(event, GuardVerdict):
        return view.opened(index, event)
    if isinstance(event, Delta):
        return view.said(index, event.text, refusal=event.refusal)
    return view.closed(index, event)
