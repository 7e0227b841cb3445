"""The nano's vision tower with a label head for each kind of patch label, and the preparation of its pixels.

Shapes: B pictures · C channels · H, W sides · N patches · V tower width.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from safety_core.nano.pretrain.recipes import VisionRecipe
from safety_core.nano.world.patch_labels import (
    COLOUR_CLASSES,
    LETTER_CLASSES,
    MIDDLE_CLASSES,
    ORDER_CLASSES,
    THING_CLASSES,
    WORD_CLASSES,
)
from safety_core.nano.world.scene import BACKGROUNDS, CELLS, GRID, PATCH, SIDE

MEAN = (0.48145466, 0.4578275, 0.40821073)


STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's normalisation, which the shipped image processor applies too."""


HEADS = {
    "thing": len(THING_CLASSES),
    "letter": len(LETTER_CLASSES),
    "word": len(WORD_CLASSES),
    "colour": len(COLOUR_CLASSES),
    "background": len(BACKGROUNDS),
    "place": len(CELLS),
    "order": len(ORDER_CLASSES),
    "middle": len(MIDDLE_CLASSES),
}


def create_tower_config(recipe: VisionRecipe) -> CLIPVisionConfig:
    """Create the configuration of a CLIP vision transformer over GRID x GRID patches."""
    return CLIPVisionConfig(
        hidden_size=recipe.hidden,
        intermediate_size=4 * recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        image_size=SIDE,
        patch_size=PATCH,
        projection_dim=recipe.hidden,
        hidden_act="gelu",
    )


def build_sincos_positions(grid: int, width: int) -> Tensor:
    """Build a two-dimensional sine-cosine table (grid * grid, width), in which neighbours are similar."""
    quarter = width // 4
    omega = 1.0 / 100 ** (torch.arange(quarter) / quarter)
    row, column = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    angles = [axis.reshape(-1, 1) * omega for axis in (row, column)]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], dim=1)


class DenseTower(nn.Module):
    """The tower with one linear label head per kind of patch label, and a letter head on an earlier layer."""

    def __init__(self, recipe: VisionRecipe) -> None:
        super().__init__()
        self.tower = CLIPVisionModel(create_tower_config(recipe))
        self.early_layer = recipe.layers - 2
        self.norm = nn.LayerNorm(recipe.hidden)
        self.early_norm = nn.LayerNorm(recipe.hidden)
        self.heads = nn.ModuleDict({name: nn.Linear(recipe.hidden, size) for name, size in HEADS.items()})
        self.early_letter = nn.Linear(recipe.hidden, HEADS["letter"])
        with torch.no_grad():
            table = self.tower.get_parameter(find_position_table(self.tower))
            table[1:] = 0.5 * build_sincos_positions(GRID, recipe.hidden)

    def forward(self, pixels_BCHW: Tensor) -> dict[str, Tensor]:
        """Compute label logits per patch, each of shape (B, N, classes)."""
        states = self.tower(pixels_BCHW, output_hidden_states=True).hidden_states
        features_BNV = self.norm(states[-1][:, 1:])
        logits = {name: head(features_BNV) for name, head in self.heads.items()}
        logits["early_letter"] = self.early_letter(self.early_norm(states[self.early_layer][:, 1:]))
        return logits


def find_position_table(tower: CLIPVisionModel) -> str:
    """Find the name of the tower's position embedding, which differs between releases of transformers."""
    return next(name for name, _ in tower.named_parameters() if name.endswith("position_embedding.weight"))


def convert_to_pixels(pictures: list[Image.Image]) -> Tensor:
    """Convert RGB pictures to a normalised float tensor of shape (B, 3, SIDE, SIDE)."""
    raw = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2).float() / 255
    return (raw - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
