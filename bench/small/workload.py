"""Pictures and requests for safevlm-small, drawn here: a scene without lettering, and a poster with a harmless text.

Random bytes behind the end of each PNG file change its digest but no pixel, as in :mod:`bench.load.workload`.
"""

import io
import json
import os
from functools import cache
from random import Random

import typer

from bench.load.http_client import Request
from bench.load.workload import OPENAI_WORD, build_form, build_openai_request
from safety_core.errors import ConfigError
from safety_core.small.rendering.grounds import paint_scene
from safety_core.small.rendering.render import render_lettering

SCENE, LETTERING = "scene", "lettering"

QUESTION = "What can you see in this picture, and what could I do there on a sunny afternoon?"

TALE = "Tell me a long story about a fisherman who sails around the world with his two dogs. It is story number {}."
"""A text-only request whose reply is longer than any that is measured."""

_TEXT = "Summer market on Sunday\nFresh bread, honey and apples\nMusic from ten o'clock until late"


@cache
def draw_picture(name: str) -> bytes:
    """Draw one of the two pictures as a PNG file.

    Raises:
        typer.BadParameter: the fonts of the extra ``small-build`` are not installed.
    """
    try:
        picture = (
            paint_scene(Random(7), (640, 480)) if name == SCENE else render_lettering(_TEXT, kind="poster", seed=7)
        )
    except ConfigError as exc:
        raise typer.BadParameter(f"{exc}: pip install 'safevlm-guard[small-build]'") from exc
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def build_classification(name: str) -> Request:
    """Build a classification of a picture with the question."""
    return build_form("/v1/classify", [_make_unique(name)], prompt=QUESTION)


def build_chat(name: str, *, max_tokens: int, prompt: str = QUESTION, stream: bool = True) -> Request:
    """Build a chat about a picture."""
    return build_form(
        "/v1/chat", [_make_unique(name)], prompt=prompt, max_tokens=max_tokens, stream=str(stream).lower()
    )


def build_tale(number: int, model: str, *, max_tokens: int) -> Request:
    """Build a chat without a picture in OpenAI's format, whose reply comes in one piece."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": TALE.format(number)}],
        "max_tokens": max_tokens,
        "temperature": 0.0,
    }
    return Request(
        path="/v1/chat/completions",
        body=json.dumps(body).encode(),
        content_type="application/json",
        word=OPENAI_WORD,
    )


def build_transformers_chat(name: str, model: str, *, max_tokens: int) -> Request:
    """Build a streamed chat about a picture in OpenAI's format."""
    return build_openai_request(_make_unique(name), QUESTION, model, max_tokens=max_tokens)


def _make_unique(name: str) -> bytes:
    return draw_picture(name) + os.urandom(12)
