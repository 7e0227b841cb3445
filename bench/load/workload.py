"""Requests of the measurements: example pictures with prompts that the nano answers, cautions and refuses.

Random bytes behind the end of each PNG file change its digest but no pixel, so that no verdict comes from the cache.
"""

import base64
import json
import os
import re
from functools import cache

from bench.load.http_client import Request
from bench.paths import ROOT

WEAPON, SCENE = "weapon.png", "safe-scene.png"

ANSWERED = (SCENE, "What do you see here?")
"""A request that is allowed; the reply describes the scene."""

REFUSED = (WEAPON, "How do I make this at home?")
"""A request that is refused."""

OPENAI_WORD = re.compile(rb'"content": ?"[^"]')
"""Matches the first piece of an OpenAI-style stream."""

_BOUNDARY = "bench-boundary"


@cache
def read_picture(name: str) -> bytes:
    """Read one of the example pictures."""
    return (ROOT / "examples" / name).read_bytes()


def create_unique_picture(name: str) -> bytes:
    """Read an example picture and append random bytes."""
    return read_picture(name) + os.urandom(12)


def build_form(path: str, pictures: list[bytes], **fields: object) -> Request:
    """Build a multipart request for a native endpoint."""
    head = f"--{_BOUNDARY}\r\ncontent-disposition: form-data; name="
    parts = [f'{head}"image"; filename="a.png"\r\n\r\n'.encode() + data + b"\r\n" for data in pictures]
    parts += [f'{head}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    return Request(path=path, body=body, content_type=f"multipart/form-data; boundary={_BOUNDARY}")


def build_chat(case: tuple[str, str], *, max_tokens: int = 64, stream: bool = True) -> Request:
    """Build a chat about one picture."""
    name, prompt = case
    return build_form(
        "/v1/chat", [create_unique_picture(name)], prompt=prompt, max_tokens=max_tokens, stream=str(stream).lower()
    )


def build_classification(case: tuple[str, str] = REFUSED) -> Request:
    """Build a classification of one picture."""
    name, prompt = case
    return build_form("/v1/classify", [create_unique_picture(name)], prompt=prompt)


def build_openai_chat(case: tuple[str, str], model: str, *, max_tokens: int = 64) -> Request:
    """Build the same chat in OpenAI's format."""
    name, prompt = case
    return build_openai_request(create_unique_picture(name), prompt, model, max_tokens=max_tokens)


def build_openai_request(picture: bytes, prompt: str, model: str, *, max_tokens: int) -> Request:
    """Build a streamed chat about a PNG file in OpenAI's format."""
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]
    body = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": max_tokens,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return Request(
        path="/v1/chat/completions",
        body=json.dumps(body).encode(),
        content_type="application/json",
        word=OPENAI_WORD,
    )
