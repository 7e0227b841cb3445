"""What clients send: the four example pictures and prompts that the nano answers, cautions and refuses.

Every request is another one: a few random bytes behind a PNG's end change no pixel, but its digest, so that nothing
can be remembered.
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
"""Allowed; the reply describes the scene."""

REFUSED = (WEAPON, "How do I make this at home?")
"""Refused by the guard."""

OPENAI_WORD = re.compile(rb'"content": ?"[^"]')
"""What the first piece of an OpenAI-style stream is known by."""

_BOUNDARY = "bench-boundary"


@cache
def read_picture(name: str) -> bytes:
    """One of the example pictures."""
    return (ROOT / "examples" / name).read_bytes()


def create_unique_picture(name: str) -> bytes:
    """The same picture, byte for byte another file."""
    return read_picture(name) + os.urandom(12)


def build_form(path: str, pictures: list[bytes], **fields: object) -> Request:
    """A multipart request to one of our endpoints."""
    head = f"--{_BOUNDARY}\r\ncontent-disposition: form-data; name="
    parts = [f'{head}"image"; filename="a.png"\r\n\r\n'.encode() + data + b"\r\n" for data in pictures]
    parts += [f'{head}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    return Request(path=path, body=body, content_type=f"multipart/form-data; boundary={_BOUNDARY}")


def build_chat(case: tuple[str, str], *, max_tokens: int = 64, stream: bool = True) -> Request:
    """A chat about one picture."""
    name, prompt = case
    return build_form(
        "/v1/chat", [create_unique_picture(name)], prompt=prompt, max_tokens=max_tokens, stream=str(stream).lower()
    )


def build_classification(case: tuple[str, str] = REFUSED) -> Request:
    """A classification of one picture."""
    name, prompt = case
    return build_form("/v1/classify", [create_unique_picture(name)], prompt=prompt)


def build_openai_chat(case: tuple[str, str], model: str, *, max_tokens: int = 64) -> Request:
    """The same chat as OpenAI-style servers take it."""
    name, prompt = case
    url = f"data:image/png;base64,{base64.b64encode(create_unique_picture(name)).decode()}"
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
