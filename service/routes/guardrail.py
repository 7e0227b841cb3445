"""``POST /beta/litellm_basic_guardrail_api``: verdicts in the protocol of LiteLLM's generic guardrails.

A proxy asks before it sends a request to its model, and again with the model's answer. Fields of the protocol that say
nothing about what is to be judged are ignored, whatever they hold: it is a beta, and grows.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from safety_core.engine.messages import GuardRequest
from safety_core.errors import InputError, PromptError
from safety_core.policies import Rules
from safety_core.policy import Decision
from safety_core.prompts import Turn, check_characters
from service.classifying import assessed
from service.intake import read_json
from service.record import RequestRecord, record_of
from service.routes.docs import ERRORS, json_body
from service.ruling import rules_for
from service.schemas import Language, Picture, PolicyName, Sent
from service.state import Service, service_of
from service.streaming import unless_client_leaves

router = APIRouter()

_PARTS = (None, "text", "input_text", "output_text", "image_url", "input_image")
"""Types of a message's parts whose text and picture are all there is to them."""

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
"""A letter as JSON may write it."""

_BESIDES = ("refusal", "reasoning_content")
"""Texts of a message beside its content."""


class ProviderParams(BaseModel):
    """Our part of what a proxy's configuration may pass on."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    policy: PolicyName = None
    language: Language = None


class GuardrailRequest(BaseModel):
    """What LiteLLM sends."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    texts: list[str] | None = Field(default=None, description="Texts of the request, or of the answer.")
    images: list[Picture] | None = Field(default=None, description="Pictures as base64, data URLs or URLs.")
    structured_messages: list[dict[str, Any]] | None = Field(
        default=None, description="The conversation that they come from."
    )
    tool_calls: list[Any] | None = Field(
        default=None, description="Calls of tools; their arguments are judged as texts."
    )
    input_type: Literal["request", "response"] = Field(default="request", description="Which of the two it is.")
    additional_provider_specific_params: ProviderParams | None = Field(
        default=None, description="What the proxy's configuration says for this guardrail."
    )


class GuardrailReply(Sent):
    """What LiteLLM then does."""

    action: Literal["BLOCKED", "NONE"]
    blocked_reason: str | None = None
    texts: list[str] | None = None
    images: list[str] | None = None


@router.post(
    "/beta/litellm_basic_guardrail_api",
    response_model=GuardrailReply,
    responses=ERRORS,
    openapi_extra=json_body(GuardrailRequest),
    summary="Judge what passes a LiteLLM proxy",
)
async def guardrail(request: Request) -> JSONResponse:
    """`BLOCKED` where the policy refuses, else `NONE`: texts and pictures are never changed.

    All texts are judged together and each by itself, with all pictures. What cannot be judged is an error, which
    LiteLLM takes for a block.
    """
    service = service_of(request)
    service.readiness.require()
    asked = await read_json(request, service, GuardrailRequest)
    params = asked.additional_provider_specific_params or ProviderParams()
    rules = rules_for(request, policy=params.policy, language=params.language)
    found = await unless_client_leaves(request, _request(service, asked, rules, record_of(request)))
    if found is None:
        return JSONResponse(GuardrailReply(action="NONE").sent())
    wanted, decode_ms = found
    (verdict,) = await assessed(request, [wanted], decode_ms=decode_ms)
    if verdict.verdict.decision is not Decision.REFUSED:
        return JSONResponse(GuardrailReply(action="NONE").sent())
    return JSONResponse(GuardrailReply(action="BLOCKED", blocked_reason=verdict.refusal).sent())


async def _request(
    service: Service, asked: GuardrailRequest, rules: Rules, record: RequestRecord
) -> tuple[GuardRequest, float] | None:
    """What to judge, and the milliseconds that decoding took; None where nothing was said or shown."""
    said, shown = _in_messages(asked.structured_messages or [])
    called = map(_call, asked.tool_calls or [])
    texts = [text for text in dict.fromkeys([*(asked.texts or []), *said, *called]) if text.strip()]
    pictures = list(dict.fromkeys([*(asked.images or []), *shown]))
    limit = service.settings.max_turns
    if len(texts) > limit:
        raise PromptError(f"At most {limit} texts are accepted.", code="too_many_inputs", param="texts")
    if not texts and not pictures:
        return None
    turns = tuple(Turn(role="user", text=text) for text in texts)
    check_characters(turns, service.settings.max_prompt_tokens)
    loaded = await service.pictures.load(pictures, record)
    return GuardRequest(images=loaded.images, turns=turns, rules=rules), loaded.decode_ms


def _in_messages(messages: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Texts and pictures of OpenAI-style messages: most stand in fields of their own too, but none may be missed."""
    texts: list[str] = []
    pictures: list[str] = []
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else [] if content is None else [content]:
            fields = {"text": part} if isinstance(part, str) else part if isinstance(part, dict) else {}
            said, shown = fields.get("text"), fields.get("image_url")
            # A sound, a file, a picture in another protocol's form: words beside it do not make it known.
            if fields.get("type") not in _PARTS or not (isinstance(said, str) or shown is not None):
                raise _unjudged("A message has a part that cannot be judged.")
            texts += [said] if isinstance(said, str) else []
            pictures += [_url(shown)] if shown is not None else []
        texts += [said for field in _BESIDES if isinstance(said := message.get(field), str)]
        calls = message.get("tool_calls")
        texts += map(_call, calls if isinstance(calls, list) else [] if calls is None else [calls])
        texts += [_call({"function": message["function_call"]})] if message.get("function_call") is not None else []
    return texts, pictures


def _call(call: Any) -> str:
    """What a model would tell a tool, each text on a line of its own; all of a call in another form than OpenAI's."""
    fields = call if isinstance(call, dict) else {}
    parts = [part for kind in ("function", "custom") if isinstance(part := fields.get(kind), dict)]
    told = [part[field] for part in parts for field in ("arguments", "input") if part.get(field) is not None]
    if not told:
        return "\n".join(_texts_in(call))
    # A name is a word, unless somebody hides a sentence in it.
    names = [name for part in parts if isinstance(name := part.get("name"), str) and not name.isidentifier()]
    return "\n".join(_texts_in(told) + names)


def _parsed(text: str) -> Any:
    """What a text holds that a model wrote as JSON, None where it is none or not sound."""
    text = text.lstrip("\ufeff \t\r\n")
    if text[:1] not in ("{", "[", '"'):
        return None
    try:
        # Of equal keys all count, since who tells which of them a tool will read? Numbers stay as they are spelt.
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: [list(pair) for pair in pairs],
            parse_int=str,
            parse_float=str,
            strict=False,
        )
    except (ValueError, RecursionError):
        return None


def _texts_in(value: Any) -> list[str]:
    """Every text in something that came as JSON, keys and numbers too, in their order; JSON within a text as well.

    An escape would hide a word, and a brace a sentence.
    """
    found: list[str] = []
    left = [value]
    while left:
        match left.pop():
            case dict() as fields:
                left += [part for pair in reversed(fields.items()) for part in reversed(pair)]
            case list() as parts:
                left += reversed(parts)
            case None:
                pass
            case str() as text:
                inner = _parsed(text)
                if inner is None:
                    found.append(_ESCAPED.sub(lambda letter: chr(int(letter[1], 16)), text))
                else:
                    left.append(inner)
            case other:
                found.append(json.dumps(other))
    return found


def _url(image: Any) -> str:
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise _unjudged("A picture of a message has no URL.")
    return url


def _unjudged(message: str) -> InputError:
    return InputError(message, code="invalid_field", param="structured_messages")
