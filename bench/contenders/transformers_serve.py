"""``transformers serve``: the unguarded model in transformers' own OpenAI-style server.

It answers one request after another: its ``--continuous-batching`` supports pure language models only, and a LLaVA
falls back to one ``generate()`` at a time. It decodes pictures on its event loop. Its stream has the number of tokens
in the last event even if not requested, and ends without ``[DONE]``.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import typer
from transformers.utils.import_utils import is_serve_available

from bench.load.servers import Server, find_free_port, run_process
from safety_core.model.checkpoint.backbone import Backbone, load_tokenizer, save_backbone
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.safe_llava import SafeLlava

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}USER: "
    "{% for part in message['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %} ASSISTANT:"
    "{% else %} {% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{{ eos_token }}{% endif %}{% endfor %}"
)
"""LLaVA-1.5's format; for a question about pictures the same ids as
:class:`safety_core.inputs.prompt_encoding.PromptBuilder` makes, as long as nothing in the question had to be
neutralised."""

PROGRAM = (
    "from safety_core.model.backbones.registration import register_towers\n"
    "from transformers.cli.transformers import main\n"
    "register_towers()\n"
    "main()"
)
"""transformers' command, which also knows our towers."""


def write_plain_llava(checkpoint: Path, out: Path, *, endless: bool = False, allow_untrained: bool = False) -> Path:
    """Write our model with its adapter merged, as a plain LLaVA in float32 with processor and chat template.

    Args:
        checkpoint: one of our checkpoints.
        out: folder to write to; it may exist.
        endless: let no token end a reply, so that every reply has the requested number of tokens.
        allow_untrained: accept a checkpoint whose safety modules were never trained.

    Returns:
        ``out``.
    """
    model = load_checkpoint(checkpoint, device="cpu", dtype=torch.float32, merge=True, allow_untrained=allow_untrained)
    if endless:
        model.backbone.generation_config.eos_token_id = []
    backbone = Backbone(model=model.backbone, tokenizer=model.tokenizer, image_processor=model.image_processor)
    save_backbone(backbone, out, dtype=torch.float32)
    (out / "chat_template.jinja").write_text(_find_chat_template(model), encoding="utf-8")
    return out


def _find_chat_template(model: SafeLlava) -> str:
    """Find the template of the model's prompts: its backbone's own, or LLaVA-1.5's."""
    if model.prompt_template is None or model.source is None:
        return CHAT_TEMPLATE
    return load_tokenizer(model.source.location, revision=model.source.revision).chat_template or CHAT_TEMPLATE


@contextmanager
def run_transformers_serve(model_dir: Path, *arguments: str, dtype: str = "float32") -> Iterator[Server]:
    """Serve a folder on the CPU; yields the server when it answers.

    Args:
        model_dir: a folder written by :func:`write_plain_llava`.
        arguments: further options of ``transformers serve``.
        dtype: precision of the model.

    Raises:
        typer.BadParameter: packages are missing, or the server did not start.
    """
    if not is_serve_available():
        raise typer.BadParameter(
            "transformers serve needs fastapi, uvicorn, pydantic and openai: pip install 'safevlm-guard[bench]'"
        )
    port = find_free_port()
    command = [
        *(sys.executable, "-c", PROGRAM, "serve", str(model_dir.resolve())),
        *("--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", dtype, *arguments),
    ]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with run_process(command, os.environ | offline, f"http://127.0.0.1:{port}", "/health") as server:
        yield server
