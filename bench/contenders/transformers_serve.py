"""``transformers serve``: the model behind the guard in transformers' own OpenAI-style server, without any guard.

It answers one request after another: its ``--continuous-batching`` is for pure language models, a LLaVA falls back to
one ``generate()`` at a time. Pictures are decoded on its event loop. Its stream tells the number of tokens in the last
event, asked or not, and ends without ``[DONE]``.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import torch
import typer
from transformers.utils.import_utils import is_serve_available

from bench.load.servers import find_free_port, run_process
from safety_core.model.checkpoint.backbone import Backbone, save_backbone
from safety_core.model.checkpoint.checkpoint import load_checkpoint

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}USER: "
    "{% for part in message['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %} ASSISTANT:"
    "{% else %} {% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{{ eos_token }}{% endif %}{% endfor %}"
)
"""LLaVA-1.5's format; for a question about pictures the same ids as
:class:`safety_core.inputs.prompts.PromptBuilder` makes, as long as nothing in the question had to be neutralised."""

REPLY_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedChat:
    """One streamed reply, as its client saw it."""

    first_s: float | None
    """Seconds until the first piece of text; None where none came."""

    seconds: float
    """Seconds until the stream ended."""

    tokens: int
    """Tokens of the reply, its end included, as the server counts them; pieces of text where it does not say."""

    text: str
    """The reply; it may begin with a space."""


def write_plain_llava(checkpoint: Path, out: Path, *, endless: bool = False) -> Path:
    """Write what our server runs, its adapter merged, as a plain LLaVA in float32 with processor and chat template.

    Args:
        checkpoint: a checkpoint of ours.
        out: folder to write to; it may exist.
        endless: let no token end a reply, so that every reply has as many tokens as were asked for.

    Returns:
        ``out``.
    """
    model = load_checkpoint(checkpoint, device="cpu", dtype=torch.float32, merge=True)
    if endless:
        model.backbone.generation_config.eos_token_id = []
    backbone = Backbone(model=model.backbone, tokenizer=model.tokenizer, image_processor=model.image_processor)
    save_backbone(backbone, out, dtype=torch.float32)
    (out / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    return out


@contextmanager
def run_transformers_serve(model_dir: Path, *arguments: str) -> Iterator[str]:
    """Serve a prepared folder on the CPU in float32, and give the server's URL once it answers.

    Args:
        model_dir: what :func:`prepare` wrote.
        arguments: further options of ``transformers serve``.

    Raises:
        typer.BadParameter: packages are missing, or the server did not start.
    """
    if not is_serve_available():
        raise typer.BadParameter(
            "transformers serve needs fastapi, uvicorn, pydantic and openai: pip install 'safevlm-guard[bench]'"
        )
    port = find_free_port()
    command = [
        *(sys.executable, "-m", "transformers.cli.transformers", "serve", str(model_dir.resolve())),
        *("--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32", *arguments),
    ]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with run_process(command, os.environ | offline, f"http://127.0.0.1:{port}", "/health") as server:
        yield server.url


async def stream_chat(
    client: httpx.AsyncClient, url: str, picture: bytes, prompt: str, max_tokens: int
) -> StreamedChat:
    """Ask one question about one picture, greedily, and read the reply as it comes.

    Raises:
        httpx.HTTPStatusError: the server refused the request.
        RuntimeError: the server gave up during the reply.
    """
    address = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    content = [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": prompt}]
    body = {
        "messages": [{"role": "user", "content": content}],
        "max_completion_tokens": max_tokens,
        "temperature": 0.0,
        "stream": True,
    }
    pieces: list[str] = []
    first_s, counted = None, None
    sent = time.perf_counter()
    async with client.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=REPLY_WITHIN_S) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            # Its errors are not always valid JSON.
            if line.startswith('data: {"error"'):
                raise RuntimeError(f"the server gave up: {line.removeprefix('data: ')}")
            event = json.loads(line.removeprefix("data: "))
            if piece := event["choices"][0]["delta"].get("content"):
                first_s = first_s or time.perf_counter() - sent
                pieces.append(piece)
            if usage := event.get("usage"):
                counted = int(usage["completion_tokens"])
    return StreamedChat(
        first_s=first_s,
        seconds=time.perf_counter() - sent,
        tokens=len(pieces) if counted is None else counted,
        text="".join(pieces),
    )
