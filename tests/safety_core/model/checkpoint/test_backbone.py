import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor, LlavaForConditionalGeneration, PreTrainedTokenizerFast
from typer.testing import CliRunner

from safety_core.cli.main import app
from safety_core.errors import CheckpointError, TensorKeyError, TensorShapeError
from safety_core.model.checkpoint.backbone import (
    Backbone,
    find_backbone,
    load_backbone,
    load_backbone_config,
    load_meta_backbone,
    save_backbone,
)
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from tests.helpers.models.tiny import IMAGE_SIZE, PATCH_SIZE, make_backbone, make_image_processor


@pytest.fixture
def copied(tiny_backbone: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_backbone, tmp_path / "copied"))


def test_a_saved_backbone_comes_back_in_full_precision(tiny_backbone: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    loaded, made = load_backbone(tiny_backbone), make_backbone(tokenizer)
    assert loaded.model.dtype == torch.float32
    assert not loaded.model.training
    for name, tensor in made.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[name], tensor.half().float())
    assert loaded.tokenizer("<image> a", add_special_tokens=False)["input_ids"][0] == made.config.image_token_id


def test_weights_are_stored_in_16_bit_and_saving_leaves_the_model_alone(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    backbone = Backbone(model=make_backbone(tokenizer), tokenizer=tokenizer, image_processor=make_image_processor())
    save_backbone(backbone, tmp_path / "out", dtype=torch.bfloat16)
    stored = [tensor for file in (tmp_path / "out").glob("*.safetensors") for tensor in load_file(file).values()]
    assert {tensor.dtype for tensor in stored} == {torch.bfloat16}
    assert backbone.model.dtype == torch.float32


def test_transformers_own_processor_reads_the_folder(tiny_backbone: Path) -> None:
    processor = AutoProcessor.from_pretrained(tiny_backbone, local_files_only=True)
    assert processor.patch_size == 7


def test_what_16_bit_cannot_hold_is_not_written(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    model = make_backbone(tokenizer)
    with torch.no_grad():
        model.lm_head.weight[0, 0] = 1e6
    backbone = Backbone(model=model, tokenizer=tokenizer, image_processor=make_image_processor())
    with pytest.raises(ValueError, match="not finite"):
        save_backbone(backbone, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["missing", "surplus", "shape"])
@pytest.mark.parametrize("read", [load_backbone, load_meta_backbone])
def test_weights_must_fit_the_config(copied: Path, damage: str, read: Callable[[Path], object]) -> None:
    file = copied / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if name.endswith("q_proj.weight"))
    if damage == "missing":
        del tensors[name]
    elif damage == "surplus":
        tensors["stowaway"] = torch.zeros(1)
    else:
        tensors[name] = torch.zeros(2, 2)
    save_file(tensors, file, metadata={"format": "pt"})
    error, message = (TensorShapeError, "q_proj") if damage == "shape" else (TensorKeyError, "missing|surplus")
    with pytest.raises(error, match=message):
        read(copied)


def test_an_outline_holds_no_weights(tiny_backbone: Path) -> None:
    outline = load_meta_backbone(tiny_backbone)
    assert {parameter.device.type for parameter in outline.parameters()} == {"meta"}
    assert {name: tensor.shape for name, tensor in outline.state_dict().items()} == {
        name: tensor.shape for name, tensor in load_backbone(tiny_backbone).model.state_dict().items()
    }


def test_a_folder_without_weights_is_no_backbone(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_backbone(copied)


@pytest.mark.parametrize(
    "content", [None, "{", "{}", '{"model_type": "llava", "vision_config": 3}', '{"model_type": "clip"}']
)
def test_an_unreadable_config_is_a_checkpoint_error(copied: Path, content: str | None) -> None:
    if content is None:
        (copied / "config.json").unlink()
    else:
        (copied / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match="config"):
        load_backbone_config(copied)


def test_a_folder_is_found_where_it_is(tiny_backbone: Path) -> None:
    assert find_backbone(tiny_backbone).location == str(tiny_backbone.resolve())


@pytest.fixture
def hub_cache(tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A hub repository as the hub's client keeps it on disk, and no network."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--someone--tiny-llava"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(tiny_backbone, repository / "snapshots" / commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return commit


def test_a_hub_repository_is_pinned_to_todays_commit(hub_cache: str) -> None:
    found = find_backbone("someone/tiny-llava")
    assert (found.hub_id, found.revision) == ("someone/tiny-llava", hub_cache)
    assert load_backbone_config(found.location, revision=found.revision).text_config is not None


def take_older_layout(folder: Path) -> None:
    """Rewrite a backbone as LLaVA-1.5 lies on the hub: older names of tensors, files and config fields, in shards."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    older = {re.sub(r"^vision_tower\.", "vision_tower.vision_model.", name): weights[name] for name in weights}
    assert {".".join(name.split(".")[:2]) for name in older} == {
        *("vision_tower.vision_model", "multi_modal_projector.linear_1", "multi_modal_projector.linear_2"),
        *("language_model.model", "language_model.lm_head"),
    }
    names, shards = sorted(older), [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    places = {name: shards[name > names[len(names) // 2]] for name in names}
    for shard in shards:
        part = {name: older[name] for name in names if places[name] == shard}
        save_file(part, folder / shard, metadata={"format": "pt"})
    size = sum(tensor.nbytes for tensor in older.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": places})

    config = json.loads((folder / "config.json").read_text())
    text, vision = config["text_config"], config["vision_config"]
    del config["dtype"], config["image_seq_length"], config["multimodal_projector_bias"], text["rope_parameters"]
    config |= {"torch_dtype": "float16", "ignore_index": -100, "vocab_size": text["vocab_size"], "pad_token_id": 2}
    text |= {"torch_dtype": "float16", "_name_or_path": "someone/vicuna", "architectures": ["LlamaForCausalLM"]}
    vision |= {"vocab_size": 32000}
    write_json(folder / "config.json", config | {"transformers_version": "4.36.0.dev0"})

    processor = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    (folder / "processor_config.json").unlink()
    write_json(folder / "preprocessor_config.json", processor | {"processor_class": "LlavaProcessor"})

    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    added = {"0": "<s>", "1": "</s>", "2": "<pad>", "3": "<image>"}
    write_json(folder / "special_tokens_map.json", special)
    write_json(folder / "added_tokens.json", {"<image>": 3, "<pad>": 2})
    write_json(
        folder / "tokenizer_config.json",
        special
        | {"added_tokens_decoder": {index: flags | {"content": token} for index, token in added.items()}}
        | {"clean_up_tokenization_spaces": False, "padding_side": "left", "tokenizer_class": "PreTrainedTokenizerFast"},
    )


def write_json(file: Path, data: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(data, indent=2))


@torch.no_grad()
def logits(model: LlavaForConditionalGeneration) -> torch.Tensor:
    """What a model says about one picture and two words."""
    pixels = torch.randn(1, 3, IMAGE_SIZE, IMAGE_SIZE, generator=torch.Generator().manual_seed(0))
    ids = [model.config.image_token_id] * (IMAGE_SIZE // PATCH_SIZE) ** 2 + [40, 41]
    found: torch.Tensor = model(input_ids=torch.tensor([ids]), pixel_values=pixels).logits
    return found


def test_a_hub_repository_in_the_older_layout_says_the_same(
    hub_cache: str, tiny_backbone: Path, tmp_path: Path
) -> None:
    take_older_layout(tmp_path / "hub" / "models--someone--tiny-llava" / "snapshots" / hub_cache)
    made = CliRunner().invoke(app, ["init", str(tmp_path / "made"), "--backbone", "someone/tiny-llava"])
    assert made.exit_code == 0, made.output
    older, newer = load_checkpoint(tmp_path / "made", allow_untrained=True), load_backbone(tiny_backbone)
    assert older.source is not None
    assert (older.source.hub_id, older.source.revision) == ("someone/tiny-llava", hub_cache)
    assert torch.equal(logits(older.backbone), logits(newer.model))
    words = "What is in the <image> picture?"
    assert older.tokenizer(words)["input_ids"] == newer.tokenizer(words)["input_ids"]
    picture = Image.linear_gradient("L").convert("RGB")
    assert torch.equal(
        older.preprocess([picture]), newer.image_processor([picture], return_tensors="pt")["pixel_values"]
    )


def test_neither_folder_nor_repository(hub_cache: str) -> None:
    with pytest.raises(CheckpointError, match="neither a folder nor a reachable hub repository"):
        find_backbone("someone/else")


def test_config_says_16_bit(tiny_backbone: Path) -> None:
    assert json.loads((tiny_backbone / "config.json").read_text())["dtype"] == "float16"
