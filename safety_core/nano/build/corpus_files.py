"""Writes the corpus of a build: training data of the safety modules, calibration split, held-out suite and hints."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from safety_core.nano.build.recipes import Recipe
from safety_core.nano.build.records import write_pairs, write_replies
from safety_core.nano.build.suite import write_suite
from safety_core.nano.corpus.backbone_pairs import sample_talk_pairs
from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.corpus.reply_texts import sample_training_replies
from safety_core.nano.corpus.safety_pairs import sample_harmless_pairs, sample_safety_pairs, sample_safety_scene
from safety_core.nano.language.hints import HINTS

TRAIN, HARMLESS, REPLIES = "train.jsonl", "harmless.jsonl", "replies.jsonl"
"""Training data of both stages, further data of stage 2, and the replies that the head learns to judge."""

HINTS_FILE = "hints.json"


def write_corpus(recipe: Recipe, folder: Path, advance: Callable[[int, int], None]) -> None:
    """Write the corpus of a build.

    Args:
        recipe: numbers of pictures, and the seed.
        folder: folder to write.
        advance: called with the number of finished pictures and the number of all pictures.
    """
    seed = recipe.seed
    count = recipe.safety_pictures + recipe.harmless_pictures
    pairs = _sample_safety_pairs(recipe, lambda done: advance(done, count))
    write_pairs(folder / TRAIN, pairs, images=folder / "train", prefix="train", with_meta=False)
    pairs = _sample_harmless_pairs(recipe, lambda done: advance(recipe.safety_pictures + done, count))
    write_pairs(folder / HARMLESS, pairs, images=folder / "harmless", prefix="harmless", with_meta=False)
    write_replies(folder / REPLIES, sample_training_replies(seed, "train", recipe.reply_pictures), prefix="reply")
    write_suite(folder / "calibration", recipe.calibration, seed=seed, split="calibration", part="calibration")
    write_suite(folder / "test", recipe.test, seed=seed, split="test", part="held_out")
    (folder / HINTS_FILE).write_text(json.dumps(HINTS, indent=1) + "\n")


def _sample_safety_pairs(recipe: Recipe, advance: Callable[[int], None]) -> Iterator[LabelledPair]:
    seed = recipe.seed
    for index in range(recipe.safety_pictures):
        yield from sample_safety_pairs(seed, "train", index, sample_safety_scene(seed, "train", index))
        advance(index + 1)
    yield from sample_talk_pairs(seed, "safety", recipe.talk)


def _sample_harmless_pairs(recipe: Recipe, advance: Callable[[int], None]) -> Iterator[LabelledPair]:
    for index in range(recipe.harmless_pictures):
        yield from sample_harmless_pairs(recipe.seed, "train", index)
        advance(index + 1)
