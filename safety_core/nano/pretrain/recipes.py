"""Sizes and lengths of the trainings of vision tower and language model. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionRecipe:
    """Size and length of the tower's training."""

    hidden: int = 192
    """Width of the tower."""

    layers: int = 6
    """Number of transformer blocks."""

    heads: int = 6
    """Number of attention heads."""

    steps: int = 4000
    """Number of training steps."""

    batch: int = 32
    """Pictures in each step."""

    lr: float = 0.02
    """Peak learning rate of the block matrices (Muon)."""

    adam_lr: float = 2e-3
    """Peak learning rate of embeddings, norms, biases and label heads (AdamW)."""

    warmup: int = 50
    """Steps of the linear warm-up."""

    letters_until: float = 0.35
    """Share of the run in which text pictures show mostly random letters; afterwards they show words."""

    seed: int = 0
    """Seed of weights and batches."""
