"""Sends damaged files to a running server, in every form in which a client can send a picture."""

import base64
from collections.abc import Callable
from typing import Any

import httpx

from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits
from service.api.openai.errors import convert_to_openai
from service.errors import build_error_reply
from tests.fuzz.cases import Case
from tests.helpers.server.events import parse_events

LIMITS = ImageLimits(max_bytes=200_000, max_pixels=2**20)
"""Limits of the server; they are small, so that a leak is noticeable."""

Send = Callable[[httpx.Client, bytes], httpx.Response]
"""Sends a picture."""

Count = Callable[[httpx.Response], tuple[int, int]]
"""Reads from a reply how many pictures the server received and scanned."""

OPENAI_PATHS = ("/v1/chat/completions", "/v1/moderations")
"""Paths whose errors have the statuses and codes of OpenAI."""

_PROMPT = "What is in the picture?"


def complaint(client: httpx.Client, tried: Case) -> str | None:
    """Describe the fault of the server's answer; None if it is a verdict on the picture or the expected refusal.

    An unexpected exception of the decoder and a malformed answer are faults too: neither ends a run.
    """
    try:
        return _complaint(client, tried)
    except Exception as exc:
        return f"{type(exc).__name__} escaped"


def _complaint(client: httpx.Client, tried: Case) -> str | None:
    send, counts = WAYS[tried.number % len(WAYS)]
    try:
        response = send(client, tried.data)
    except httpx.HTTPError as exc:
        return f"no answer: {type(exc).__name__}"
    deserved = _deserved_status(tried.data, openai=response.request.url.path in OPENAI_PATHS)
    if response.status_code != deserved:
        return f"{response.status_code} in place of {deserved} from {response.request.url.path}"
    if response.status_code != 200:
        return None if _is_error(response) else f"{response.status_code} in another shape"
    if counts(response) != (1, 1):
        return f"a picture was not scanned by {response.request.url.path}"
    return None


def _deserved_status(data: bytes, *, openai: bool) -> int:
    try:
        decode_image(data, limits=LIMITS)
    except ImageError as exc:
        return (convert_to_openai(build_error_reply(exc)) if openai else build_error_reply(exc)).status
    return 200


def _is_error(response: httpx.Response) -> bool:
    error = response.json().get("error", {})
    return set(error) == {"message", "type", "param", "code"} and "image" in error["code"]


# --- forms of a request, and the counts in its reply -----------------------------------------------------------------


def _form(path: str, **fields: str) -> Send:
    return lambda client, data: client.post(path, data=fields, files=[("image", ("picture", data))])


def _json(path: str, body: Callable[[str], dict[str, Any]]) -> Send:
    return lambda client, data: client.post(path, json=body(base64.b64encode(data).decode()))


def _parts(text: str) -> list[dict[str, Any]]:
    url = f"data:image/png;base64,{text}"
    return [{"type": "text", "text": _PROMPT}, {"type": "image_url", "image_url": {"url": url}}]


def _messages(text: str) -> dict[str, Any]:
    return {"model": "safevlm-nano", "max_tokens": 1, "messages": [{"role": "user", "content": _parts(text)}]}


def _own(response: httpx.Response) -> tuple[int, int]:
    return _counts(response.json())


def _streamed(response: httpx.Response) -> tuple[int, int]:
    name, reply = parse_events(response.text)[-1]
    return _counts(reply) if name == "done" else (0, 0)


def _completion(response: httpx.Response) -> tuple[int, int]:
    return _counts(response.json()["safevlm"])


def _moderation(response: httpx.Response) -> tuple[int, int]:
    return _counts(response.json()["results"][0]["safevlm"])


def _action(response: httpx.Response) -> tuple[int, int]:
    """Derive the counts from the action: LiteLLM's protocol has no field for counts."""
    return (1, 1) if response.json()["action"] in ("BLOCKED", "NONE") else (0, 0)


def _counts(reply: dict[str, Any]) -> tuple[int, int]:
    return reply["images_received"], reply["images_scanned"]


WAYS: tuple[tuple[Send, Callable[[httpx.Response], tuple[int, int]]], ...] = (
    (_form("/v1/classify"), _own),
    (_form("/v1/chat", prompt=_PROMPT, max_tokens="1"), _own),
    (_form("/v1/chat", prompt=_PROMPT, max_tokens="1", stream="true"), _streamed),
    (_json("/v1/classify", lambda text: {"images": [f"data:;base64,{text}"], "prompt": _PROMPT}), _own),
    (_json("/v1/chat/completions", _messages), _completion),
    (_json("/v1/moderations", lambda text: {"input": _parts(text)}), _moderation),
    (_json("/beta/litellm_basic_guardrail_api", lambda text: {"images": [text]}), _action),
)
