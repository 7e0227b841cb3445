"""Names of patches as tokens: the target of the loss that aligns projected patches with words."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from safety_core.nano.world.patch_labels import LETTER_CLASSES, THING_CLASSES, WORD_CLASSES, label_patches
from safety_core.nano.world.scene import Scene


def create_patch_namer(tokenizer: Any) -> Callable[[Scene], tuple[int, ...]]:
    """Create a function that maps a scene to one token per patch.

    The token names what the patch shows; it is -100 where the patch shows nothing, or its name has several tokens.
    """

    def find_tokens(classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
        ids = [tokenizer(f" {name}", add_special_tokens=False).input_ids for name in classes]
        return np.array([-100, *(one[0] if len(one) == 1 else -100 for one in ids[1:])])

    things, words = find_tokens(THING_CLASSES), find_tokens(WORD_CLASSES)
    # A number has no name, but each of its digits has one.
    digits = np.array([tokenizer.convert_tokens_to_ids(one) if one.isdigit() else -100 for one in LETTER_CLASSES])

    def name_patches(scene: Scene) -> tuple[int, ...]:
        labels = label_patches(scene)
        written = np.where(labels.word > 0, words[labels.word], digits[labels.letter])
        return tuple(np.where(labels.thing > 0, things[labels.thing], written).tolist())

    return name_patches
