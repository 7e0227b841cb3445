from pathlib import Path

import numpy as np
import torch

from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.nano.build.backbone import BackboneTraining, create_image_processor, load_tokenizer
from safety_core.nano.build.recipes import RECIPES, SMOKE
from safety_core.nano.corpus.backbone_pairs import sample_training_scene
from safety_core.nano.language.descriptions import get_plural
from safety_core.nano.pretrain.vision.tower import convert_to_pixels
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.patch_labels import THING_CLASSES
from safety_core.nano.world.scene import GRID
from safety_core.nano.world.vocabulary import VOCABULARY
from tests.helpers.models.smoke_build import SmokeBuild


def test_every_name_of_the_shipped_size_is_one_token(tmp_path: Path) -> None:
    BackboneTraining(recipe=RECIPES["shipped"], root=tmp_path, show=False).train_tokenizer()
    tokenizer = load_tokenizer(tmp_path)
    names = (*VOCABULARY, *THING_CLASSES[1:], *(get_plural(name) for name in THING_CLASSES[1:]))
    assert [name for name in names if len(tokenizer.tokenize(f" {name}")) > 1 and not name.isdigit()] == []


def test_features_are_those_of_the_training_pictures(smoke_build: SmokeBuild) -> None:
    table = np.load(smoke_build.root / "features" / "features.npy")
    assert table.shape == (SMOKE.pictures + SMOKE.language.polish_pictures, GRID**2, SMOKE.vision.hidden)
    model = load_checkpoint(smoke_build.root / "stage1", merge=False)
    pixels = convert_to_pixels([draw(sample_training_scene(SMOKE.seed, "train", 0).scene)])
    with torch.inference_mode():
        served = model.encode_images(pixels).layers[-1][0].float().numpy()
    # 16-bit weights make the difference.
    assert np.abs(served - table[0].astype(np.float32)).max() < 0.05


def test_a_picture_of_the_world_is_not_resized() -> None:
    picture = draw(sample_training_scene(SMOKE.seed, "train", 0).scene)
    pixels = create_image_processor()(picture, return_tensors="pt").pixel_values
    torch.testing.assert_close(pixels, convert_to_pixels([picture]), rtol=1e-5, atol=1e-5)
