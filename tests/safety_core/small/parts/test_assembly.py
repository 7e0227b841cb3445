import json
import stat
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor

from safety_core.errors import TensorShapeError
from safety_core.model.backbones.efficientnet_lite import EfficientNetLiteModel
from safety_core.model.checkpoint.backbone import load_backbone
from safety_core.model.vision.preprocessing import get_image_side, get_pad_colour, preprocess_images
from safety_core.small.parts.assembly import (
    WEIGHTS_FILE,
    Parts,
    assemble,
    create_small_parts,
    describe_recipe,
    is_assembled,
)
from safety_core.small.parts.llava_projector import initialize_projector
from safety_core.small.parts.tokenizer import IMAGE_TOKEN
from tests.helpers.models.small_parts import list_tokens, write_parts
from tests.helpers.models.tiny_convolutional import GRID, IMAGE_SIZE, VISION_WIDTH

pytest.importorskip("gguf", reason="gguf is not installed: pip install 'safevlm-guard[small]'")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def parts(place: Path) -> Parts:
    return write_parts(place)


def make(parts: Parts, place: Path, folder: Path, projector: Path | None = None) -> Path:
    folder.mkdir(parents=True)
    files = {wheel: place / wheel.file for wheel in parts.wheels}
    assemble(parts, files, projector or folder / "none", folder, lambda done, total: None)
    return folder


@pytest.fixture(scope="module")
def assembled(parts: Parts, place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(parts, place, tmp_path_factory.mktemp("assembled") / "backbone")


def test_the_loader_takes_it_for_any_llava(assembled: Path) -> None:
    backbone = load_backbone(assembled)
    model = backbone.model
    assert type(model.model.vision_tower) is EfficientNetLiteModel
    embedding = model.get_input_embeddings()
    assert isinstance(embedding, torch.nn.Embedding)
    assert model.lm_head.weight.data_ptr() == embedding.weight.data_ptr()
    assert (len(backbone.tokenizer), embedding.num_embeddings) == (len(list_tokens()) + 1, 320)
    assert model.config.image_token_id == backbone.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    assert model.generation_config is not None
    assert model.generation_config.eos_token_id == [2, 0]


def test_pictures_reach_the_tower_as_it_was_trained_to_see_them(assembled: Path) -> None:
    processor = load_backbone(assembled).image_processor
    assert get_pad_colour(processor) == (127, 127, 127)
    assert get_image_side(processor) == IMAGE_SIZE
    (pixels_CHW,) = preprocess_images(processor, [Image.new("RGB", (500, 500), (255, 127, 0))])
    assert pixels_CHW.shape == (3, IMAGE_SIZE, IMAGE_SIZE)
    assert pixels_CHW[:, 130, 130].tolist() == pytest.approx([1.0, 0.0, -127 / 128], abs=1e-6)


@torch.no_grad()
def test_transformers_alone_generates_from_a_picture(assembled: Path) -> None:
    processor, model = AutoProcessor.from_pretrained(assembled, local_files_only=True), load_backbone(assembled).model
    question = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "the"}]}]
    text = processor.apply_chat_template(question, add_generation_prompt=True)
    inputs = processor(images=Image.new("RGB", (90, 90)), text=text, return_tensors="pt")
    assert int((inputs["input_ids"] == model.config.image_token_id).sum()) == GRID**2
    assert model.generate(**inputs, max_new_tokens=3).shape[1] > inputs["input_ids"].shape[1]


def test_the_same_parts_give_the_same_bytes(parts: Parts, place: Path, assembled: Path, tmp_path: Path) -> None:
    again = make(parts, place, tmp_path / "again")
    names = sorted(path.name for path in assembled.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    for name in names:
        assert (assembled / name).read_bytes() == (again / name).read_bytes(), name


def test_everybody_who_may_read_the_settings_may_read_the_weights(assembled: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in assembled.iterdir()}
    assert len(modes) == 1


def test_settings_name_no_machine_and_no_version_of_a_library(assembled: Path) -> None:
    for file in assembled.glob("*.json"):
        text = file.read_text(encoding="utf-8")
        assert "transformers_version" not in text
        assert "name_or_path" not in text


def test_a_record_names_the_parts_and_every_file(parts: Parts, assembled: Path, tmp_path: Path) -> None:
    record = json.loads((assembled / "parts.json").read_text())
    assert record["wheels"]["tiny-words"] == {"version": "1.0", "sha256": parts.language_model.sha256}
    assert set(record["files"]) == {path.name for path in assembled.iterdir()} - {"parts.json"}
    assert is_assembled(assembled, describe_recipe(parts, tmp_path / "none"))


def test_a_changed_missing_or_other_folder_is_not_assembled(
    parts: Parts, place: Path, assembled: Path, tmp_path: Path
) -> None:
    recipe = describe_recipe(parts, tmp_path / "none")
    assert not is_assembled(tmp_path, recipe)
    assert not is_assembled(assembled, describe_recipe(create_small_parts(), tmp_path / "none"))
    changed = make(parts, place, tmp_path / "changed")
    (changed / ".DS_Store").write_text("")
    assert not is_assembled(changed, recipe)
    (changed / ".DS_Store").unlink()
    assert is_assembled(changed, recipe)
    (changed / "chat_template.jinja").write_text("other")
    assert not is_assembled(changed, recipe)
    (changed / "chat_template.jinja").unlink()
    assert not is_assembled(changed, recipe)
    (changed / "parts.json").write_text("[]")
    assert not is_assembled(changed, recipe)


def test_a_trained_projector_takes_the_place_of_the_untrained_one(parts: Parts, place: Path, tmp_path: Path) -> None:
    trained = {name: torch.full_like(tensor, 0.5) for name, tensor in initialize_projector(VISION_WIDTH, 64).items()}
    file = tmp_path / "projector.safetensors"
    save_file(trained, file)
    folder = make(parts, place, tmp_path / "backbone", file)
    weights = load_file(folder / WEIGHTS_FILE)
    assert all(torch.equal(weights[name], tensor) for name, tensor in trained.items())
    assert is_assembled(folder, describe_recipe(parts, file))
    assert not is_assembled(folder, describe_recipe(parts, tmp_path / "none"))


def test_a_projector_of_another_size_is_refused(parts: Parts, place: Path, tmp_path: Path) -> None:
    save_file(initialize_projector(8, 64), tmp_path / "projector.safetensors")
    with pytest.raises(TensorShapeError, match=r"projector\.safetensors"):
        make(parts, place, tmp_path / "backbone", tmp_path / "projector.safetensors")
