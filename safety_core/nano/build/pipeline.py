"""Builds the nano from one seed: tower, corpus, language model, safety modules, calibration, table, checkpoint.

Every step writes into its own folder and leaves a marker when it is whole, so a killed build goes on where it stopped;
the long steps resume inside as well. A folder belongs to one recipe: another one is refused instead of mixed in. The
safety modules are trained, calibrated and evaluated by the entry points that everybody uses.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import CLIPImageProcessorPil, CLIPVisionModel, LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.errors import ConfigError
from safety_core.inputs.prompts import PromptBuilder
from safety_core.model.checkpoint.backbone import Backbone, save_backbone
from safety_core.nano.build.recipes import Recipe
from safety_core.nano.build.records import write_pairs, write_replies
from safety_core.nano.build.safety_training import HARMLESS, REPLIES, TRAIN, Defence
from safety_core.nano.build.suite import write_suite
from safety_core.nano.corpus.backbone_pairs import (
    sample_polish_pairs,
    sample_polish_scene,
    sample_talk_pairs,
    sample_training_pairs,
    sample_training_scene,
)
from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.corpus.reply_texts import sample_training_replies
from safety_core.nano.corpus.safety_pairs import sample_harmless_pairs, sample_safety_pairs, sample_safety_scene
from safety_core.nano.corpus.scenes import LabelledScene
from safety_core.nano.language.descriptions import get_plural
from safety_core.nano.language.replies import CARE, DECLINE, REFUSAL
from safety_core.nano.pretrain.language_model import (
    LanguageRecipe,
    Packed,
    Standardisation,
    fill,
    llava_config,
    look_for_likeness,
    tell_apart,
    train_language,
)
from safety_core.nano.pretrain.progress import StepBar
from safety_core.nano.pretrain.tokenizer import train_tokenizer
from safety_core.nano.pretrain.tower_training import train_tower
from safety_core.nano.pretrain.vision_tower import convert_to_pixels
from safety_core.nano.world import scene as world
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.patch_labels import LETTER_CLASSES, THING_CLASSES, WORD_CLASSES, label_patches
from safety_core.nano.world.scene import Scene
from safety_core.nano.world.vocabulary import VOCABULARY
from safety_core.taxonomy import DEFAULT_TAXONOMY

_BATCH = 64
_TOKENIZER_PICTURES = 3_000

HINTS: dict[str, dict[str, str]] = {
    risk_type: {
        "caution": f"(note: {risk_type.replace('_', ' ')}, end with: {CARE[risk_type]})",
        "may_refuse": f"(note: {risk_type.replace('_', ' ')}, say: {DECLINE[risk_type]})",
    }
    for risk_type in DEFAULT_TAXONOMY.risky_types
}
"""The safety hints that the nano is trained on, per type and level. They say what to say: a language model of four
layers copies words from its prompt sooner than it learns six names for them."""


NEEDS: dict[str, tuple[str, ...]] = {
    "vision": (),
    "tokenizer": (),
    "features": ("vision",),
    "language": ("vision", "tokenizer", "features"),
    "corpus": (),
    "stage1": ("language", "corpus"),
    "stage2": ("stage1",),
    "replies": ("stage2",),
    "reference": ("language", "corpus"),
    "calibrate": ("stage1", "replies", "reference"),
    "evaluate": ("calibrate",),
    "ship": ("evaluate",),
}
"""Which steps each step takes something from."""


@dataclass(slots=True, kw_only=True)
class Build:
    """One build in its working folder.

    Attributes:
        recipe: how big.
        root: the working folder.
        device: where the tower and the language model are trained.
        show: whether a progress bar is shown.
    """

    recipe: Recipe
    root: Path
    device: str = "cpu"
    show: bool = True

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    # --- steps -------------------------------------------------------------------------------------------------------

    def vision(self) -> None:
        """Train the tower."""
        with self._bar("tower") as advance:
            recipe = replace(self.recipe.vision, seed=self.recipe.seed)
            tower = train_tower(recipe, self.root / "vision", device=self.device, progress=advance)
        tower.cpu().save_pretrained(self.root / "vision" / "tower")

    def tokenizer(self) -> None:
        """Train the tokenizer on what the nano will read and say."""
        train_tokenizer(self._texts(), self.recipe.language.vocab).save_pretrained(self.root / "tokenizer")

    def features(self) -> None:
        """Draw every training picture once and keep the frozen tower's features."""
        tower = self._tower().eval()
        count, patches = self.recipe.pictures + self.recipe.language.polish_pictures, world.GRID**2
        target = self.root / "features" / "features.npy"
        target.parent.mkdir(exist_ok=True)
        table = np.lib.format.open_memmap(
            target, mode="w+", dtype=np.float16, shape=(count, patches, self.recipe.vision.hidden)
        )
        with self._bar("features") as advance, torch.inference_mode():
            for start in range(0, count, _BATCH):
                end = min(count, start + _BATCH)
                pictures = [draw(self._shown(index).scene) for index in range(start, end)]
                states = tower(convert_to_pixels(pictures).to(self.device), output_hidden_states=True).hidden_states
                table[start:end] = states[-1][:, 1:].cpu().numpy().astype(np.float16)
                advance(end, count)
        table.flush()

    def language(self) -> None:
        """Teach projector and language model, and save the backbone."""
        recipe = self.recipe.language
        tokenizer = self._tokenizer()
        torch.manual_seed(self.recipe.seed)
        tower = self._tower()
        model = LlavaForConditionalGeneration(llava_config(recipe, tower.config, tokenizer))
        look_for_likeness(model)
        model.model.vision_tower.load_state_dict(tower.state_dict())
        nn.Module.to(model, device=torch.device(self.device))
        features = np.load(self.root / "features" / "features.npy", mmap_mode="r")
        standardise = Standardisation.of(features)
        builder = PromptBuilder(tokenizer, model.config.image_token_id)
        with self._bar("language") as advance:
            train_language(
                model,
                recipe,
                lambda first: self._batches(builder, recipe, first),
                features,
                standardise,
                self.root / "language",
                progress=advance,
            )
        # Gathered anew: a run that was resumed saw the first part in another process.
        shown = islice(self._batches(builder, recipe, 0), recipe.total_steps)
        embeddings = model.get_input_embeddings()
        assert isinstance(embeddings, nn.Embedding)
        tell_apart(embeddings, {token for batch in shown for row in batch for token in row.tokens})
        save_backbone(
            Backbone(model=model.eval(), tokenizer=tokenizer, image_processor=image_processor()),
            self.root / "backbone",
        )

    def corpus(self) -> None:
        """Write the safety modules' training data, the calibration split and the held-out suite."""
        folder = self.root / "corpus"
        seed = self.recipe.seed
        count = self.recipe.safety_pictures + self.recipe.harmless_pictures
        with self._bar("corpus") as advance:
            pairs = self._safety_pairs(lambda done: advance(done, count))
            write_pairs(folder / TRAIN, pairs, images=folder / "train", prefix="train", with_meta=False)
            pairs = self._harmless_pairs(lambda done: advance(self.recipe.safety_pictures + done, count))
            write_pairs(folder / HARMLESS, pairs, images=folder / "harmless", prefix="harmless", with_meta=False)
        spoken = sample_training_replies(seed, "train", self.recipe.reply_pictures)
        write_replies(folder / REPLIES, spoken, prefix="reply")
        write_suite(folder / "calibration", self.recipe.calibration, seed=seed, split="calibration", part="calibration")
        write_suite(folder / "test", self.recipe.test, seed=seed, split="test", part="held_out")
        (folder / "hints.json").write_text(json.dumps(HINTS, indent=1) + "\n")

    # --- running -----------------------------------------------------------------------------------------------------

    def steps(self) -> dict[str, Callable[[], None]]:
        """The steps in order, by name."""
        return {
            "vision": self.vision,
            "tokenizer": self.tokenizer,
            "features": self.features,
            "language": self.language,
            "corpus": self.corpus,
            **Defence(recipe=self.recipe, root=self.root, device=self.device, show=self.show).steps(),
        }

    def run(self, only: str | None = None) -> None:
        """Run every step that is not done yet, or one of them.

        Raises:
            ConfigError: the folder holds a build of another recipe, there is no such step, or one must come first.
        """
        self._claim()
        steps = self.steps()
        if only is not None and only not in steps:
            raise ConfigError(f"step: one of {list(steps)} is needed, got {only!r}")
        for name, step in steps.items():
            marker = self.root / f"{name}.done"
            if marker.exists() or (only is not None and name != only):
                continue
            if missing := [other for other in NEEDS[name] if not (self.root / f"{other}.done").exists()]:
                raise ConfigError(f"step {name}: {', '.join(missing)} must come first")
            step()
            marker.touch()

    def _claim(self) -> None:
        wanted = json.dumps(self.recipe.to_dict(), sort_keys=True, default=str)
        file = self.root / "recipe.json"
        if not file.exists():
            file.write_text(wanted)
        elif file.read_text() != wanted:
            raise ConfigError(f"{self.root}: holds a build of another recipe; remove it or name another folder")

    # --- data --------------------------------------------------------------------------------------------------------

    def _drawn(self, index: int) -> LabelledScene:
        return sample_training_scene(self.recipe.seed, "train", index)

    def _shown(self, index: int) -> LabelledScene:
        """Picture ``index`` of the language model's: behind those for everything come those that polish."""
        count = self.recipe.pictures
        return self._drawn(index) if index < count else sample_polish_scene(self.recipe.seed, "train", index - count)

    def _texts(self) -> Iterator[str]:
        for index in range(min(self.recipe.pictures, _TOKENIZER_PICTURES)):
            for pair in sample_training_pairs(self.recipe.seed, "train", index, self._drawn(index)):
                yield f"USER: \n{pair.question.text} ASSISTANT: {pair.naive_reply}"
                yield f" {pair.guarded_reply}"
        for _ in range(200):
            # Whole tokens for every name: pieces that two names share are hard to tell apart.
            yield from (f" {name}" for name in (*VOCABULARY, *(get_plural(name) for name in THING_CLASSES[1:])))
            yield from (f" {text}" for hints in HINTS.values() for text in hints.values())
            yield from (f" {text}" for text in (*CARE.values(), *DECLINE.values(), REFUSAL))

    def _batches(self, builder: PromptBuilder, recipe: LanguageRecipe, first: int) -> Iterator[list[Packed]]:
        """Batches from a step on, those that polish at the end."""
        yield from islice(self._language_batches(builder, recipe, first), max(0, recipe.steps - first))
        yield from self._polish_batches(builder, recipe, max(0, first - recipe.steps))

    def _language_batches(self, builder: PromptBuilder, recipe: LanguageRecipe, first: int) -> Iterator[list[Packed]]:
        """Batches from a step on; every visit to a picture asks new questions."""
        names = patch_names(builder.tokenizer)
        per_epoch = max(1, self.recipe.pictures // recipe.pictures_per_step)
        step = first
        while True:
            epoch, place = divmod(step, per_epoch)
            order = list(range(self.recipe.pictures))
            Random(f"order/{self.recipe.seed}/{epoch}").shuffle(order)
            for start in range(
                place * recipe.pictures_per_step, per_epoch * recipe.pictures_per_step, recipe.pictures_per_step
            ):
                batch = []
                looks_up = step < recipe.lookup_steps
                for number in order[start : start + recipe.pictures_per_step]:
                    # Looking up needs the scenes of several things, which are the odd ones.
                    index = number | 1 if looks_up else number
                    picture = self._drawn(index)
                    pairs = sample_training_pairs(
                        self.recipe.seed, "train", index, picture, visit=epoch, looks_up=looks_up
                    )
                    Random(f"pick/{self.recipe.seed}/{step}/{index}").shuffle(pairs)
                    batch.append(_row(builder, recipe, pairs, index, names(picture.scene)))
                batch += self._talk(builder, recipe, f"talk/{step}", 0 if looks_up else recipe.talk_rows)
                yield batch
                step += 1

    def _polish_batches(self, builder: PromptBuilder, recipe: LanguageRecipe, first: int) -> Iterator[list[Packed]]:
        """Batches from a polishing step on: every other row is about a picture that polishes."""
        names, seed, count = patch_names(builder.tokenizer), self.recipe.seed, self.recipe.pictures
        for step in itertools.count(first):
            rng = Random(f"polish/{seed}/{step}")
            batch = []
            for row in range(recipe.pictures_per_step):
                index = count + rng.randrange(recipe.polish_pictures) if row % 2 else rng.randrange(count)
                picture = self._shown(index)
                if index < count:
                    # Other visits than the first run's.
                    pairs = sample_training_pairs(seed, "train", index, picture, visit=recipe.steps + step)
                else:
                    pairs = sample_polish_pairs(seed, "train", index - count, picture, visit=step)
                rng.shuffle(pairs)
                batch.append(_row(builder, recipe, pairs, index, names(picture.scene)))
            yield batch + self._talk(builder, recipe, f"polish/talk/{step}", recipe.talk_rows)

    def _talk(self, builder: PromptBuilder, recipe: LanguageRecipe, name: str, rows: int) -> list[Packed]:
        """Rows of prompts without a picture."""
        # No prompt with its reply is shorter than twelve tokens.
        most = recipe.row_tokens // 12
        talk = (sample_talk_pairs(self.recipe.seed, f"{name}/{row}", most) for row in range(rows))
        return [_row(builder, recipe, pairs) for pairs in talk]

    def _safety_pairs(self, advance: Callable[[int], None]) -> Iterator[LabelledPair]:
        seed = self.recipe.seed
        for index in range(self.recipe.safety_pictures):
            yield from sample_safety_pairs(seed, "train", index, sample_safety_scene(seed, "train", index))
            advance(index + 1)
        yield from sample_talk_pairs(seed, "safety", self.recipe.talk)

    def _harmless_pairs(self, advance: Callable[[int], None]) -> Iterator[LabelledPair]:
        for index in range(self.recipe.harmless_pictures):
            yield from sample_harmless_pairs(self.recipe.seed, "train", index)
            advance(index + 1)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _tower(self) -> CLIPVisionModel:
        tower: CLIPVisionModel = CLIPVisionModel.from_pretrained(str(self.root / "vision" / "tower"))
        nn.Module.to(tower, device=torch.device(self.device))
        return tower

    def _tokenizer(self) -> PreTrainedTokenizerFast:
        tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(str(self.root / "tokenizer"))
        return tokenizer

    def _bar(self, name: str) -> StepBar:
        return StepBar(name, self.show)


def _row(
    builder: PromptBuilder,
    recipe: LanguageRecipe,
    pairs: Iterable[LabelledPair],
    picture: int | None = None,
    names: tuple[int, ...] = (),
) -> Packed:
    """One row of a batch: as many questions with their naive answers as it has room for."""
    asked = ((pair.question.text, pair.naive_reply) for pair in pairs)
    return fill(builder, picture, asked, recipe.row_tokens, names)


def image_processor() -> CLIPImageProcessorPil:
    """CLIP's preparation of pixels at the nano's size; a picture of that size passes unresized."""
    return CLIPImageProcessorPil(
        size={"shortest_edge": world.SIDE}, crop_size={"height": world.SIDE, "width": world.SIDE}
    )


def patch_names(tokenizer: Any) -> Callable[[Scene], tuple[int, ...]]:
    """From a scene to the token that names what each patch shows, -100 where there is nothing or the name is longer."""

    def tokens(classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
        ids = [tokenizer(f" {name}", add_special_tokens=False).input_ids for name in classes]
        return np.array([-100, *(one[0] if len(one) == 1 else -100 for one in ids[1:])])

    things, words = tokens(THING_CLASSES), tokens(WORD_CLASSES)
    # A number has no name, but every digit of it has.
    digits = np.array([tokenizer.convert_tokens_to_ids(one) if one.isdigit() else -100 for one in LETTER_CLASSES])

    def names(scene: Scene) -> tuple[int, ...]:
        labels = label_patches(scene)
        written = np.where(labels.word > 0, words[labels.word], digits[labels.letter])
        return tuple(np.where(labels.thing > 0, things[labels.thing], written).tolist())

    return names
