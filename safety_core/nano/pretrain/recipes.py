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


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageRecipe:
    """Size and length of the training of projector and language model."""

    hidden: int = 256
    """Width of the language model."""

    layers: int = 4
    """Number of transformer blocks."""

    heads: int = 4
    """Number of attention heads."""

    intermediate: int = 768
    """Width of the MLPs."""

    rope_theta: float = 1e6
    """Base of the rotary embedding. Slow rotations leave most of a head's width to content, so that a name matches its
    patches at any distance."""

    vocab: int = 2048
    """Size of the vocabulary."""

    steps: int = 3000
    """Steps of the first run."""

    polish_steps: int = 2000
    """Steps of the second run, with fixed word embeddings; half of its pictures show what is learned last."""

    polish_pictures: int = 6000
    """Pictures of that half: numbers and other lettering, and scenes with things to compare."""

    pictures_per_step: int = 8
    """Rows with a picture in each step."""

    talk_rows: int = 1
    """Rows without a picture in each step."""

    row_tokens: int = 320
    """Positions of a row, which is filled with questions."""

    naming_weight: float = 0.3
    """Weight of the loss that aligns projected patches with the words for what they show."""

    lr: float = 0.02
    """Peak learning rate of the block matrices (Muon)."""

    adam_lr: float = 3e-3
    """Peak learning rate of everything else (AdamW)."""

    warmup: int = 50
    """Steps of the linear warm-up."""

    lookup_steps: int = 500
    """Number of first steps that ask only for places, presence and numbers of things by their names."""

    drop_at: int = 500
    """Step from which the learning rate is multiplied by 0.3."""

    @property
    def total_steps(self) -> int:
        """Steps of both runs."""
        return self.steps + self.polish_steps
