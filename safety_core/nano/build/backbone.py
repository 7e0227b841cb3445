"""The first half of a build: vision tower, tokenizer, features of the training pictures, and language model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import CLIPImageProcessorPil, CLIPVisionModel, LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.model.checkpoint.backbone import Backbone, save_backbone
from safety_core.nano.build.backbone_batches import BackboneBatches, sample_backbone_picture
from safety_core.nano.build.recipes import Recipe
from safety_core.nano.corpus.backbone_pairs import sample_training_pairs
from safety_core.nano.language.descriptions import get_plural
from safety_core.nano.language.hints import HINTS
from safety_core.nano.language.replies import CARE, DECLINE, REFUSAL
from safety_core.nano.pretrain.language.model import (
    create_llava_config,
    initialise_attention,
    separate_unseen_words,
)
from safety_core.nano.pretrain.language.standardisation import FeatureStandardisation
from safety_core.nano.pretrain.language.training import train_language_model
from safety_core.nano.pretrain.progress import StepBar
from safety_core.nano.pretrain.tokenizer import train_tokenizer
from safety_core.nano.pretrain.vision.tower import convert_to_pixels
from safety_core.nano.pretrain.vision.training import train_tower
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.patch_labels import THING_CLASSES
from safety_core.nano.world.scene import GRID, SIDE
from safety_core.nano.world.vocabulary import VOCABULARY

_BATCH = 64
_TOKENIZER_PICTURES = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneTraining:
    """Trains the backbone, step by step."""

    recipe: Recipe
    """Sizes and lengths."""

    root: Path
    """Working folder of the build."""

    device: str = "cpu"
    """Device of the training."""

    show: bool = True
    """Whether progress bars are shown."""

    def steps(self) -> dict[str, Callable[[], None]]:
        """Name → step, in order."""
        return {
            "vision": self.train_tower,
            "tokenizer": self.train_tokenizer,
            "features": self.compute_features,
            "language": self.train_language_model,
        }

    def train_tower(self) -> None:
        """Train the vision tower."""
        with StepBar("tower", self.show) as advance:
            recipe = replace(self.recipe.vision, seed=self.recipe.seed)
            tower = train_tower(recipe, self.root / "vision", device=self.device, progress=advance)
        tower.cpu().save_pretrained(self.root / "vision" / "tower")

    def train_tokenizer(self) -> None:
        """Train the tokenizer on the texts that the nano will read and generate."""
        train_tokenizer(self._list_texts(), self.recipe.language.vocab).save_pretrained(self.root / "tokenizer")

    def compute_features(self) -> None:
        """Draw every training picture once and save the frozen tower's features."""
        tower = self._load_tower().eval()
        count, patches = self.recipe.pictures + self.recipe.language.polish_pictures, GRID**2
        target = self.root / "features" / "features.npy"
        target.parent.mkdir(exist_ok=True)
        table = np.lib.format.open_memmap(
            target, mode="w+", dtype=np.float16, shape=(count, patches, self.recipe.vision.hidden)
        )
        with StepBar("features", self.show) as advance, torch.inference_mode():
            for start in range(0, count, _BATCH):
                end = min(count, start + _BATCH)
                pictures = [draw(sample_backbone_picture(self.recipe, index).scene) for index in range(start, end)]
                pixels = convert_to_pixels(pictures).to(self.device)
                states = tower(pixels, output_hidden_states=True).hidden_states
                table[start:end] = states[-1][:, 1:].cpu().numpy().astype(np.float16)
                advance(end, count)
        table.flush()

    def train_language_model(self) -> None:
        """Train projector and language model, and save the backbone."""
        recipe = self.recipe.language
        tokenizer = load_tokenizer(self.root)
        torch.manual_seed(self.recipe.seed)
        tower = self._load_tower()
        model = LlavaForConditionalGeneration(create_llava_config(recipe, tower.config, tokenizer))
        initialise_attention(model)
        model.model.vision_tower.load_state_dict(tower.state_dict())
        nn.Module.to(model, device=torch.device(self.device))
        features = np.load(self.root / "features" / "features.npy", mmap_mode="r")
        standardise = FeatureStandardisation.measure(features)
        batches = BackboneBatches(recipe=self.recipe, builder=PromptBuilder(tokenizer, model.config.image_token_id))
        with StepBar("language", self.show) as advance:
            train_language_model(
                model, recipe, batches.generate, features, standardise, self.root / "language", progress=advance
            )
        # Generated again: a resumed run trained on the first batches in another process.
        shown = islice(batches.generate(0), recipe.total_steps)
        embeddings = model.get_input_embeddings()
        assert isinstance(embeddings, nn.Embedding)
        separate_unseen_words(embeddings, {token for batch in shown for row in batch for token in row.tokens})
        save_backbone(
            Backbone(model=model.eval(), tokenizer=tokenizer, image_processor=create_image_processor()),
            self.root / "backbone",
        )

    def _list_texts(self) -> Iterator[str]:
        """List the texts that the tokenizer is trained on."""
        for index in range(min(self.recipe.pictures, _TOKENIZER_PICTURES)):
            picture = sample_backbone_picture(self.recipe, index)
            for pair in sample_training_pairs(self.recipe.seed, "train", index, picture):
                yield f"USER: \n{pair.question.text} ASSISTANT: {pair.naive_reply}"
                yield f" {pair.guarded_reply}"
        for _ in range(200):
            # Every name becomes one token, because names with common parts are hard to distinguish.
            yield from (f" {name}" for name in (*VOCABULARY, *(get_plural(name) for name in THING_CLASSES[1:])))
            yield from (f" {text}" for hints in HINTS.values() for text in hints.values())
            yield from (f" {text}" for text in (*CARE.values(), *DECLINE.values(), REFUSAL))

    def _load_tower(self) -> CLIPVisionModel:
        tower: CLIPVisionModel = CLIPVisionModel.from_pretrained(str(self.root / "vision" / "tower"))
        nn.Module.to(tower, device=torch.device(self.device))
        return tower


def load_tokenizer(root: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a build from its working folder."""
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(str(root / "tokenizer"))
    return tokenizer


def create_image_processor() -> CLIPImageProcessorPil:
    """Create CLIP's image processor at the nano's size; a picture of that size is not resized."""
    return CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
