"""Batches for the training of the language model: pictures with as many questions as fit into a row, and talk.

Batch k depends only on the recipe and k, so a resumed run gets the same batches.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.nano.build.recipes import Recipe
from safety_core.nano.corpus.backbone_pairs import (
    sample_polish_pairs,
    sample_polish_scene,
    sample_talk_pairs,
    sample_training_pairs,
    sample_training_scene,
)
from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.corpus.scenes import LabelledScene
from safety_core.nano.pretrain.language.patch_names import create_patch_namer
from safety_core.nano.pretrain.language.rows import QuestionRow, fill_row


def sample_backbone_picture(recipe: Recipe, index: int) -> LabelledScene:
    """Sample picture ``index`` of the language model; pictures of the polishing run follow those of the first run."""
    if index < recipe.pictures:
        return sample_training_scene(recipe.seed, "train", index)
    return sample_polish_scene(recipe.seed, "train", index - recipe.pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneBatches:
    """Generates the batches of one build."""

    recipe: Recipe
    """Sizes, and the seed."""

    builder: PromptBuilder
    """Encoder of the prompts."""

    def generate(self, first: int) -> Iterator[list[QuestionRow]]:
        """Generate the batches from a step on: first those of the first run, then those of the polishing run."""
        steps = self.recipe.language.steps
        yield from islice(self.generate_first_run(first), max(0, steps - first))
        yield from self.generate_polish(max(0, first - steps))

    def generate_first_run(self, first: int) -> Iterator[list[QuestionRow]]:
        """Generate batches of the first run from a step on; a picture gets new questions each time it is used."""
        recipe, language, seed = self.recipe, self.recipe.language, self.recipe.seed
        name_patches = create_patch_namer(self.builder.tokenizer)
        size = language.pictures_per_step
        per_epoch = max(1, recipe.pictures // size)
        step = first
        while True:
            epoch, place = divmod(step, per_epoch)
            order = list(range(recipe.pictures))
            Random(f"order/{seed}/{epoch}").shuffle(order)
            for start in range(place * size, per_epoch * size, size):
                batch = []
                looks_up = step < language.lookup_steps
                for number in order[start : start + size]:
                    # Look-ups need scenes of several things, which have odd numbers.
                    index = number | 1 if looks_up else number
                    picture = sample_training_scene(seed, "train", index)
                    pairs = sample_training_pairs(seed, "train", index, picture, visit=epoch, looks_up=looks_up)
                    Random(f"pick/{seed}/{step}/{index}").shuffle(pairs)
                    batch.append(self._pack_row(pairs, index, name_patches(picture.scene)))
                batch += self._sample_talk_rows(f"talk/{step}", 0 if looks_up else language.talk_rows)
                yield batch
                step += 1

    def generate_polish(self, first: int) -> Iterator[list[QuestionRow]]:
        """Generate batches of the polishing run from a step on; every other row shows a picture of that run."""
        recipe, language, seed = self.recipe, self.recipe.language, self.recipe.seed
        name_patches, count = create_patch_namer(self.builder.tokenizer), recipe.pictures
        for step in itertools.count(first):
            rng = Random(f"polish/{seed}/{step}")
            batch = []
            for row in range(language.pictures_per_step):
                index = count + rng.randrange(language.polish_pictures) if row % 2 else rng.randrange(count)
                picture = sample_backbone_picture(recipe, index)
                if index < count:
                    # The number of the visit differs from those of the first run.
                    pairs = sample_training_pairs(seed, "train", index, picture, visit=language.steps + step)
                else:
                    pairs = sample_polish_pairs(seed, "train", index - count, picture, visit=step)
                rng.shuffle(pairs)
                batch.append(self._pack_row(pairs, index, name_patches(picture.scene)))
            yield batch + self._sample_talk_rows(f"polish/talk/{step}", language.talk_rows)

    def _sample_talk_rows(self, name: str, rows: int) -> list[QuestionRow]:
        """Sample rows of prompts without a picture."""
        # Every prompt with its reply has at least twelve tokens.
        most = self.recipe.language.row_tokens // 12
        talk = (sample_talk_pairs(self.recipe.seed, f"{name}/{row}", most) for row in range(rows))
        return [self._pack_row(pairs) for pairs in talk]

    def _pack_row(
        self, pairs: Iterable[LabelledPair], picture: int | None = None, names: tuple[int, ...] = ()
    ) -> QuestionRow:
        """Pack as many questions with their naive replies as fit into a row."""
        asked = ((pair.question.text, pair.naive_reply) for pair in pairs)
        return fill_row(self.builder, picture, asked, self.recipe.language.row_tokens, names)
