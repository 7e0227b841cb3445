"""A LoRA on a copy of the first layers: what it may change, and how it is kept on disk."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file, save_file

from safety_core.errors import CheckpointError, ConfigError, TensorKeyError, TensorShapeError
from safety_core.model.checkpoint.adapter import WEIGHTS_FILE
from safety_core.model.checkpoint.checkpoint import PROMPT_ADAPTER_DIR, SPEC_FILE, load_checkpoint
from safety_core.model.checkpoint.prompt_adapter import attach_prompt_adapter
from safety_core.model.checkpoint.sha256_manifest import write_manifest
from safety_core.model.checkpoint.verification import verify
from safety_core.model.safe_llava import SafeLlava
from tests.helpers.models.tiny import attach_random_prompt_adapter, save_trained

PROMPTS = [(5, 6, 7), (), (11, 12)]
WEIGHTS = f"{PROMPT_ADAPTER_DIR}/{WEIGHTS_FILE}"


def read(model: SafeLlava) -> torch.Tensor:
    return model.prompt_reader.read(PROMPTS).states_PTD.detach()


def test_it_changes_what_the_head_reads_and_nothing_that_is_generated(reading_checkpoint: Path) -> None:
    plain, model = load_checkpoint(reading_checkpoint), load_checkpoint(reading_checkpoint)
    attach_random_prompt_adapter(model)
    assert not torch.allclose(read(model), read(plain))
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        torch.testing.assert_close(model.backbone(input_ids=ids).logits, plain.backbone(input_ids=ids).logits)


def test_merged_and_apart_it_reads_the_same(prompt_adapted_checkpoint: Path, reading_checkpoint: Path) -> None:
    model = load_checkpoint(reading_checkpoint)
    attach_random_prompt_adapter(model)
    merged = load_checkpoint(prompt_adapted_checkpoint)
    apart = load_checkpoint(prompt_adapted_checkpoint, train_prompt_adapter=True)
    assert verify(prompt_adapted_checkpoint).has_prompt_adapter
    assert isinstance(apart.prompt_layers, PeftModel)
    assert not isinstance(merged.prompt_layers, PeftModel)
    torch.testing.assert_close(read(merged), read(model), atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(read(apart), read(merged), atol=1e-5, rtol=1e-4)
    assert apart.prompt_reader.learns
    assert not merged.prompt_reader.learns
    assert apart.prompt_reader.read(PROMPTS).states_PTD.requires_grad


@pytest.mark.parametrize("apart", [False, True])
def test_it_goes_along_when_saved_again(prompt_adapted_checkpoint: Path, tmp_path: Path, apart: bool) -> None:
    again = save_trained(load_checkpoint(prompt_adapted_checkpoint, train_prompt_adapter=apart), tmp_path / "again")
    before, after = load_file(prompt_adapted_checkpoint / WEIGHTS), load_file(again / WEIGHTS)
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_it_stays_apart_from_quantised_layers(prompt_adapted_checkpoint: Path) -> None:
    quantised = load_checkpoint(prompt_adapted_checkpoint, quantize="int8")
    assert isinstance(quantised.prompt_layers, PeftModel)
    assert not quantised.prompt_reader.learns
    difference = (read(quantised) - read(load_checkpoint(prompt_adapted_checkpoint))).norm() / read(quantised).norm()
    assert difference < 0.1


@pytest.mark.parametrize(
    ("damage", "error"),
    [("shape", TensorShapeError), ("missing", TensorKeyError), ("layers", CheckpointError), ("none", CheckpointError)],
)
def test_a_damaged_adapter_is_refused(
    prompt_adapted_checkpoint: Path, tmp_path: Path, damage: str, error: type[CheckpointError]
) -> None:
    copied = Path(shutil.copytree(prompt_adapted_checkpoint, tmp_path / "copied"))
    tensors = load_file(copied / WEIGHTS)
    name = next(iter(tensors))
    if damage == "shape":
        tensors[name] = tensors[name][:, 1:].contiguous()
    elif damage == "missing":
        del tensors[name]
    else:
        spec = json.loads((copied / SPEC_FILE).read_text())
        spec["config"]["prompt_layers"] = 2 if damage == "layers" else 0
        (copied / SPEC_FILE).write_text(json.dumps(spec))
    save_file(tensors, copied / WEIGHTS)
    write_manifest(copied)
    with pytest.raises(error):
        verify(copied)


def test_embeddings_have_no_layers_to_adapt(tiny_checkpoint: Path) -> None:
    model = load_checkpoint(tiny_checkpoint)
    with pytest.raises(ConfigError, match="prompt_layers above 0"):
        attach_prompt_adapter(model.backbone, 0, LoraConfig(target_modules=["q_proj"]))
