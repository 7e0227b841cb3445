"""The numbers of a build of safevlm-small: shape of the modules, lengths of the trainings, goal of the calibration."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from safety_core.evaluation.calibration.budget_search import CalibrationGoal
from safety_core.inputs.head_texts import TextViews
from safety_core.small.alignment.projector.recipe import Recipe as AlignmentRecipe
from safety_core.small.build.training_files import Amounts

_SHAPE: Mapping[str, Any] = {
    "prompt_layers": 16,
    "num_safety_tokens": 8,
    "vision_layers": [0, 1, 2],
    "projector": {"hidden": 256, "grid": 9, "depth": 2, "se_ratio": 0.05, "mixing": "concatenate"},
    "head": {"num_heads": 8, "context_layers": 1, "context_width": 256, "fusion_width": 768, "dropout": 0.1},
}

_COMMON: Mapping[str, Any] = {
    "schedule": "cosine",
    "warmup_steps": 60,
    "weight_decay": 0.01,
    "batch_size": 64,
    "grad_accum": 1,
    "class_weights": "balanced",
    "label_smoothing": 0.02,
    "precision": "bf16",
    "save_steps": 100,
}

_WORDS: Mapping[str, Any] = {
    **_COMMON,
    "train_parts": "head",
    "prompt_lora_r": 16,
    "lr": 6e-4,
    "lr_prompt": 5e-4,
    "epochs": 2,
}

_PICTURES: Mapping[str, Any] = {
    **_COMMON,
    "train_parts": "head",
    "lr": 1.5e-4,
    "weight_decay": 0.1,
    "feature_dropout": 0.1,
    "epochs": 1.0,
}

_REPLIES: Mapping[str, Any] = {
    **_COMMON,
    "batch_size": 24,
    "warmup_steps": 20,
    "lr": 3e-4,
    "lora_r": 16,
    "lora_alpha": 32,
    "max_steps": 250,
}


_CONTINUED_WORDS: Mapping[str, Any] = {
    "epochs": 1,
    "lr": 2e-4,
    "lr_prompt": 2e-4,
    "warmup_steps": 30,
    "lora_dropout": 0.0,
}
_CONTINUED_PICTURES: Mapping[str, Any] = {"epochs": 2}
_CONTINUED_REPLIES: Mapping[str, Any] = {"lr": 1.5e-4, "max_steps": 100, "warmup_steps": 10, "lora_dropout": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to build the checkpoint."""

    seed: int = 0

    safety: Mapping[str, Any] = field(default_factory=lambda: dict(_SHAPE))
    """Changes to the default shape of the modules."""

    amounts: Amounts = field(default_factory=Amounts)
    """Pictures with lettering that are trained on."""

    measured: Amounts = field(default_factory=lambda: Amounts(read=300, rendered=60, documents=30, read_documents=40))
    """Pictures with lettering of each other split."""

    alignment: AlignmentRecipe = field(
        default_factory=lambda: AlignmentRecipe(steps=1500, batch_size=32, lr=5e-4, eval_steps=500)
    )
    """Training of LLaVA's projector."""

    descriptions: int = 6000
    """Samples about photographs, for the projector and for stage 2."""

    safe_replies: int = 2400
    """Risky requests with a safe reply, for stage 2."""

    own_replies: int = 1600
    """Harmless requests that the backbone is asked, for stage 2."""

    words: Mapping[str, Any] = field(default_factory=lambda: dict(_WORDS))
    """Training of head and prompt adapter on words."""

    replayed: int = 50_000
    """Words that are trained on again together with pictures, so that the head does not forget them."""

    fresh: tuple[str, ...] = ()
    """Sources (``own/NAME`` for a file of our texts) that the checkpoint that is continued has not seen; a continued
    training reads all of them."""

    seen_again: float = 0.22
    """Share of the other words that a continued training on words reads."""

    pictures: Mapping[str, Any] = field(default_factory=lambda: dict(_PICTURES))
    """Training of head and projector on words and pictures."""

    replies: Mapping[str, Any] = field(default_factory=lambda: dict(_REPLIES))
    """Training of the language model's tokens and LoRA."""

    text_views: TextViews = field(
        default_factory=lambda: TextViews(windows=False, without_images=True, images_alone=True, fewest_sentences=4)
    )
    """Texts that the head judges in addition to each turn (ADR 56)."""

    calibrated: Mapping[str, int] = field(default_factory=lambda: {"words": 2200, "pictures": 1200})
    """Largest number of words and of pictures with a prompt on which thresholds are chosen."""

    goal: CalibrationGoal = field(
        default_factory=lambda: CalibrationGoal(
            false_refusals=0.04,
            false_cautions=0.05,
            refusal_exchange=0.5,
            caution_exchange=0.5,
            by_type=False,
        )
    )
    """False alarms that the thresholds may cause on the calibration split."""

    def shorten(self) -> Self:
        """Return the recipe that continues a complete checkpoint's trainings: fewer words and replies, lower rates."""
        return replace(
            self,
            words={**self.words, **_CONTINUED_WORDS},
            replayed=30_000,
            pictures={**self.pictures, **_CONTINUED_PICTURES},
            replies={**self.replies, **_CONTINUED_REPLIES},
            descriptions=1500,
            safe_replies=500,
            own_replies=2500,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON form, for the provenance of the checkpoint."""
        return dataclasses.asdict(self)
