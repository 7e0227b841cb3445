"""The unguarded contender gets the same prompts as the guarded server, whatever format the model was trained on."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoProcessor

from bench.contenders.transformers_serve import PROGRAM, write_plain_llava
from safety_core.inputs.conversation import Turn
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from tests.helpers.models.tiny_convolutional import make_convolutional_checkpoint


@pytest.mark.parametrize("kind", ["clip", "convolutional"])
def test_prompts_are_the_guarded_models_own(kind: str, tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint if kind == "clip" else make_convolutional_checkpoint(tmp_path)
    folder = write_plain_llava(checkpoint, tmp_path / "plain")
    processor: Any = AutoProcessor.from_pretrained(folder, local_files_only=True)
    parts = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
    text = processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True)
    expected = load_checkpoint(checkpoint).prompts.encode([Turn(role="user", text="What is it?")], 1).input_ids
    assert processor.tokenizer(text, add_special_tokens=False)["input_ids"] == expected


def test_the_contender_starts_with_our_towers_registered() -> None:
    command = [sys.executable, "-c", PROGRAM, "serve", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    assert run.returncode == 0, run.stderr
