"""Training batches of the vision tower: sampled scenes, their pixels and the labels of their patches.

Knows nothing of the tower itself.
"""

from collections.abc import Iterator
from random import Random

import numpy as np
import torch
from torch import Tensor

from safety_core.nano.pretrain.recipes import VisionRecipe
from safety_core.nano.pretrain.vision.tower import HEADS, convert_to_pixels
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.lettering import list_free_cells, place_lettering
from safety_core.nano.world.patch_labels import label_patches
from safety_core.nano.world.random_scenes import sample_items
from safety_core.nano.world.scene import BACKGROUNDS, FONTS_TRAINED, LETTERS, PATTERNS_TRAINED, Scene
from safety_core.nano.world.vocabulary import VOCABULARY

_IGNORE = -100


def generate_batches(recipe: VisionRecipe, first_step: int = 0) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Generate batches without end; batch k depends only on the seed and k, so a resumed run gets the same ones."""
    step = first_step
    while True:
        rng = Random(f"vision/{recipe.seed}/{step}")
        letters_share = 0.85 if step < recipe.letters_until * recipe.steps else 0.2
        scenes = [
            sample_text_scene(rng, rng.random() < letters_share) if rng.random() < 0.6 else sample_thing_scene(rng)
            for _ in range(recipe.batch)
        ]
        labels = [label_patches(scene) for scene in scenes]
        targets = {name: torch.from_numpy(np.stack([getattr(label, name) for label in labels])) for name in HEADS}
        # A letter of an unknown word must not teach that there is no word.
        targets["word"][(targets["letter"] > 0) & (targets["word"] == 0)] = _IGNORE
        yield convert_to_pixels([draw(scene) for scene in scenes]), targets
        step += 1


def sample_text_scene(rng: Random, letters: bool) -> Scene:
    """Sample a picture full of lettering: random letters, or random words of the vocabulary."""
    background = rng.choice(list(BACKGROUNDS))
    for _ in range(20):
        count = rng.randint(2, 9)
        words = tuple(
            "".join(rng.choice(LETTERS) for _ in range(rng.randint(2, 6)))
            if letters or rng.random() < 0.08
            else rng.choice(VOCABULARY)
            for _ in range(count)
        )
        lettering = place_lettering(rng, words, background, fonts=FONTS_TRAINED)
        if lettering is not None:
            items = sample_items(rng, background, list_free_cells(lettering), rng.randint(0, 3), any_kind=True)
            return Scene(
                background=background,
                pattern=rng.choice(PATTERNS_TRAINED),
                seed=rng.getrandbits(31),
                items=items,
                lettering=lettering,
                card=background == "white" and rng.random() < 0.2 and not items,
            )
    return sample_thing_scene(rng)


def sample_thing_scene(rng: Random) -> Scene:
    """Sample a picture full of things and shapes."""
    background = rng.choice(list(BACKGROUNDS))
    items = sample_items(rng, background, list(range(9)), rng.randint(3, 9), any_kind=True)
    return Scene(background=background, pattern=rng.choice(PATTERNS_TRAINED), seed=rng.getrandbits(31), items=items)
