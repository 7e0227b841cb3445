"""Bears the nano's eyes: a CLIP vision tower trained from nothing with dense labels per patch.

Every patch of a drawn picture is asked what lies at its centre: which thing, which letter, which word and the how
many-th, which colour, on which background, in which cell, and whether a thing or a word has its middle here. The last
three are what a language model needs to read in order, to tell places and to count. Letters come first, since words are
learned from them and not the other way round; an earlier layer is asked for letters too, so that the later ones can
assemble words. Knows nothing of risk or language models.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModel

from safety_core.errors import DivergedError
from safety_core.nano.pretrain.muon import Muon, split_parameters
from safety_core.nano.pretrain.precision import attention_in_32_bit, mixed
from safety_core.nano.pretrain.resume_points import load_resume, save_resume
from safety_core.nano.world import scene as world
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.lettering import list_free_cells, place_lettering
from safety_core.nano.world.patch_labels import (
    COLOUR_CLASSES,
    LETTER_CLASSES,
    MIDDLE_CLASSES,
    ORDER_CLASSES,
    THING_CLASSES,
    WORD_CLASSES,
    label_patches,
)
from safety_core.nano.world.random_scenes import sample_items
from safety_core.nano.world.scene import FONTS_TRAINED, PATTERNS_TRAINED, Scene
from safety_core.nano.world.vocabulary import VOCABULARY

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's normalisation, which the shipped image processor applies too."""

HEADS = {
    "thing": len(THING_CLASSES),
    "letter": len(LETTER_CLASSES),
    "word": len(WORD_CLASSES),
    "colour": len(COLOUR_CLASSES),
    "background": len(world.BACKGROUNDS),
    "place": len(world.CELLS),
    "order": len(ORDER_CLASSES),
    "middle": len(MIDDLE_CLASSES),
}
_EVERYWHERE = ("background", "place")
"""Labels that every patch has; of the others most patches have none."""

_WEIGHTS = {
    "thing": 1.0,
    "letter": 1.0,
    "word": 1.0,
    "colour": 0.3,
    "background": 0.1,
    "place": 0.1,
    "order": 0.3,
    "middle": 0.3,
}
_IGNORE = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionRecipe:
    """Size and length of the tower's training."""

    hidden: int = 192
    layers: int = 6
    heads: int = 6
    steps: int = 4000
    batch: int = 32
    lr: float = 0.02
    """Peak learning rate of the block matrices (Muon)."""

    adam_lr: float = 2e-3
    """Peak learning rate of embeddings, norms, biases and label heads (AdamW)."""

    warmup: int = 50
    letters_until: float = 0.35
    """Fraction of the run in which text pictures show mostly random letters; words afterwards."""

    seed: int = 0


def tower_config(recipe: VisionRecipe) -> CLIPVisionConfig:
    """The tower's shape: a CLIP ViT over GRID x GRID patches."""
    return CLIPVisionConfig(
        hidden_size=recipe.hidden,
        intermediate_size=4 * recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        image_size=world.SIDE,
        patch_size=world.PATCH,
        projection_dim=recipe.hidden,
        hidden_act="gelu",
    )


def sincos_positions(grid: int, width: int) -> Tensor:
    """Two-dimensional sine-cosine table, shape (grid * grid, width): a start from which neighbours are easy to find."""
    quarter = width // 4
    omega = 1.0 / 100 ** (torch.arange(quarter) / quarter)
    row, column = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    angles = [axis.reshape(-1, 1) * omega for axis in (row, column)]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], dim=1)


class DenseTower(nn.Module):
    """The tower with one linear label head per kind of patch label, and a letter head on an earlier layer."""

    def __init__(self, recipe: VisionRecipe) -> None:
        super().__init__()
        self.tower = CLIPVisionModel(tower_config(recipe))
        self.early_layer = recipe.layers - 2
        self.norm = nn.LayerNorm(recipe.hidden)
        self.early_norm = nn.LayerNorm(recipe.hidden)
        self.heads = nn.ModuleDict({name: nn.Linear(recipe.hidden, size) for name, size in HEADS.items()})
        self.early_letter = nn.Linear(recipe.hidden, HEADS["letter"])
        with torch.no_grad():
            table = self.tower.get_parameter(position_table(self.tower))
            table[1:] = 0.5 * sincos_positions(world.GRID, recipe.hidden)

    def forward(self, pixels_BCHW: Tensor) -> dict[str, Tensor]:
        """Label logits per patch, each of shape (B, N, classes)."""
        states = self.tower(pixels_BCHW, output_hidden_states=True).hidden_states
        features_BNV = self.norm(states[-1][:, 1:])
        logits = {name: head(features_BNV) for name, head in self.heads.items()}
        logits["early_letter"] = self.early_letter(self.early_norm(states[self.early_layer][:, 1:]))
        return logits


def position_table(tower: CLIPVisionModel) -> str:
    """Name of the tower's position embedding, wherever this transformers release keeps it."""
    return next(name for name, _ in tower.named_parameters() if name.endswith("position_embedding.weight"))


def text_scene(rng: Random, letters: bool) -> Scene:
    """A picture full of lettering: random letters, or random words of the vocabulary."""
    background = rng.choice(list(world.BACKGROUNDS))
    for _ in range(20):
        count = rng.randint(2, 9)
        words = tuple(
            "".join(rng.choice(world.LETTERS) for _ in range(rng.randint(2, 6)))
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
    return thing_scene(rng)


def thing_scene(rng: Random) -> Scene:
    """A picture full of things and shapes."""
    background = rng.choice(list(world.BACKGROUNDS))
    items = sample_items(rng, background, list(range(9)), rng.randint(3, 9), any_kind=True)
    return Scene(background=background, pattern=rng.choice(PATTERNS_TRAINED), seed=rng.getrandbits(31), items=items)


def to_pixels(pictures: list[Image.Image]) -> Tensor:
    """RGB pictures → normalised float tensor of shape (B, 3, SIDE, SIDE)."""
    raw = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2).float() / 255
    return (raw - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def batches(recipe: VisionRecipe, first_step: int = 0) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Endless training batches; batch k depends on the seed and k alone, so a resumed run sees the same ones."""
    step = first_step
    while True:
        rng = Random(f"vision/{recipe.seed}/{step}")
        letters_share = 0.85 if step < recipe.letters_until * recipe.steps else 0.2
        scenes = [
            text_scene(rng, rng.random() < letters_share) if rng.random() < 0.6 else thing_scene(rng)
            for _ in range(recipe.batch)
        ]
        labels = [label_patches(scene) for scene in scenes]
        targets = {name: torch.from_numpy(np.stack([getattr(label, name) for label in labels])) for name in HEADS}
        # A letter that belongs to no known word must not teach "no word here".
        targets["word"][(targets["letter"] > 0) & (targets["word"] == 0)] = _IGNORE
        yield to_pixels([draw(scene) for scene in scenes]), targets
        step += 1


def dense_loss(logits: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    """Weighted sum of cross-entropies; empty patches count a fifth, since most patches are empty."""
    device = logits["thing"].device
    total = torch.zeros((), device=device)
    for name, weight in _WEIGHTS.items():
        classes = torch.ones(HEADS[name], device=device)
        if name not in _EVERYWHERE:
            classes[0] = 0.2
        total = total + weight * F.cross_entropy(logits[name].flatten(0, 1), targets[name].flatten(), weight=classes)
        if name == "letter":
            early = logits["early_letter"].flatten(0, 1)
            total = total + 0.5 * F.cross_entropy(early, targets[name].flatten(), weight=classes)
    return total


@torch.no_grad()
def patch_accuracy(logits: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, float]:
    """Share of patches with something on them that are named rightly, per kind of label."""
    scores = {}
    for name in HEADS:
        relevant = targets[name] > (-1 if name in _EVERYWHERE else 0)
        right = logits[name].argmax(-1) == targets[name]
        scores[name] = (right & relevant).sum().item() / max(1, int(relevant.sum()))
    return scores


def schedule(step: int, steps: int, warmup: int) -> float:
    """Share of the peak learning rate: linear warm-up, flat, then linear to zero over the last 40 percent."""
    return min((step + 1) / warmup, 1.0, max(0.0, (steps - step) / (0.4 * steps)))


def train_tower(
    recipe: VisionRecipe,
    out: Path,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> CLIPVisionModel:
    """Train (or resume) the tower and return it; ``out`` keeps a resume point and a log.

    Args:
        recipe: size and length.
        out: working folder of this step.
        device: where to train.
        progress: called with (step, steps).
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    model = DenseTower(recipe).to(device)
    matrices, others = split_parameters(model, (".layers.",))
    optimizers = [
        Muon(matrices, lr=recipe.lr, weight_decay=0.01),
        torch.optim.AdamW(others, lr=recipe.adam_lr, betas=(0.9, 0.98), weight_decay=0.01),
    ]
    with attention_in_32_bit(model.tower):
        _train(recipe, model, optimizers, out, device, progress)
    return model.tower


def _train(
    recipe: VisionRecipe,
    model: DenseTower,
    optimizers: list[torch.optim.Optimizer],
    out: Path,
    device: str,
    progress: Callable[[int, int], None] | None,
) -> None:
    others = [one for group in optimizers[1].param_groups for one in group["params"]]
    first = load_resume(out / "resume.bin", model, optimizers)
    started = time.monotonic()
    running = 0.0
    for step, (pixels, targets) in zip(range(first, recipe.steps), batches(recipe, first), strict=False):
        share = schedule(step, recipe.steps, recipe.warmup)
        for optimizer, peak in zip(optimizers, (recipe.lr, recipe.adam_lr), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * share
        targets = {name: target.to(device) for name, target in targets.items()}
        with mixed(device):
            logits = model(pixels.to(device))
        logits = {name: each.float() for name, each in logits.items()}
        loss = dense_loss(logits, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(others, 1.0)
        with mixed(device):
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        running = loss.item() if step == first else 0.98 * running + 0.02 * loss.item()
        if not math.isfinite(running):
            raise DivergedError(f"vision training diverged at step {step}")
        if step % 50 == 49 or step == recipe.steps - 1:
            record = {"step": step + 1, "loss": round(running, 4), "seconds": round(time.monotonic() - started, 1)}
            record |= {name: round(value, 4) for name, value in patch_accuracy(logits, targets).items()}
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(record) + "\n")
        if step % 200 == 199 or step == recipe.steps - 1:
            save_resume(out / "resume.bin", model, optimizers, step + 1)
        if progress is not None:
            progress(step + 1, recipe.steps)
