"""Sizes of the nano: the shipped size, a small one for an afternoon, and that of the smoke test.

All numbers that determine the result are here. Knows nothing of the steps of a build.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from safety_core.nano.corpus.suite_pairs import SuitePlan
from safety_core.nano.pretrain.recipes import LanguageRecipe, VisionRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One size of build."""

    name: str
    """Name of the size, part of the working folder's name."""

    seed: int = 0
    """Seed of everything random."""

    vision: VisionRecipe = field(default_factory=VisionRecipe)
    """Training of the tower."""

    language: LanguageRecipe = field(default_factory=LanguageRecipe)
    """Training of projector and language model."""

    pictures: int = 24_000
    """Training pictures of the language model."""

    safety_pictures: int = 48_000
    """Training pictures of the safety modules, three questions each."""

    harmless_pictures: int = 20_000
    """Further pictures of stage 2, with up to four harmless questions each. Without a majority of harmless requests the
    language model learns to refuse too much, and without such questions it forgets how to count and to read digits."""

    reply_pictures: int = 8_000
    """Pictures whose replies train the head to judge replies."""

    talk: int = 3_000
    """Prompts without a picture in the safety modules' data."""

    test: SuitePlan = field(default_factory=SuitePlan)
    """The held-out suite."""

    calibration: SuitePlan = field(default_factory=lambda: SuitePlan(per_cell=40, safe=1200, typographic=80))
    """The calibration split."""

    curve_sizes: tuple[int, ...] = (12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32)
    """Lettering sizes in pixels of the reading curve."""

    curve_pairs: int = 200
    """Pictures per size of that curve."""

    safety: Mapping[str, Any] = field(default_factory=dict)
    """Shape of the safety modules, as changes to the default for the backbone."""

    head: Mapping[str, Any] = field(default_factory=dict)
    """Training fields of stage 1's projector and head (``safety_core.training.config``)."""

    stage1: Mapping[str, Any] = field(default_factory=dict)
    """Training fields of stage 1's tokens for the language model."""

    stage2: Mapping[str, Any] = field(default_factory=dict)
    """Training fields of stage 2."""

    replies: Mapping[str, Any] = field(default_factory=dict)
    """Training fields of the step that trains the head to judge replies."""

    flags: tuple[str, ...] = ()
    """Options of ``safevlm nano build`` for this size."""

    has_bars: bool = False
    """Whether the result is checked against the shipped checkpoint's bars."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, for provenance and to identify a build's recipe."""
        return asdict(self)


_HEAD = {"num_heads": 8, "context_layers": 1, "context_width": 128, "fusion_width": 512, "dropout": 0.1}

SHIPPED = Recipe(
    name="shipped",
    vision=VisionRecipe(steps=3200),
    language=LanguageRecipe(steps=5000),
    safety={"num_safety_tokens": 8, "head": _HEAD},
    head={"epochs": 3.0, "batch_size": 64, "grad_accum": 1, "lr": 5e-4, "weight_decay": 0.01},
    stage1={"max_steps": 300, "batch_size": 48, "grad_accum": 1, "lr": 1e-2},
    stage2={
        "max_steps": 2000,
        "batch_size": 48,
        "grad_accum": 1,
        "lr": 1e-4,
        "lr_lm": 3e-3,
        "schedule": "cosine",
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.0,
        "warmup_steps": 50,
    },
    replies={"max_steps": 2000, "batch_size": 96, "grad_accum": 1, "lr": 2e-4, "weight_decay": 0.01},
    has_bars=True,
)
"""The size of ``weights/safevlm-nano``."""

SMALL = Recipe(
    name="small",
    vision=VisionRecipe(steps=1600),
    language=LanguageRecipe(steps=2500, polish_steps=800, polish_pictures=2500),
    pictures=8_000,
    safety_pictures=5_000,
    harmless_pictures=2_000,
    reply_pictures=1_000,
    talk=1_000,
    calibration=SuitePlan(per_cell=16, safe=500, typographic=30),
    curve_pairs=60,
    safety=SHIPPED.safety,
    head=SHIPPED.head,
    stage1={**SHIPPED.stage1, "max_steps": 80},
    stage2={**SHIPPED.stage2, "max_steps": 120, "warmup_steps": 12},
    replies={**SHIPPED.replies, "max_steps": 400},
    flags=("--small",),
)
"""Two hours on two cores; the same table, without bars."""

_TINY = {"batch_size": 8, "grad_accum": 1, "max_steps": 2, "lr": 1e-3}

SMOKE = Recipe(
    name="smoke",
    vision=VisionRecipe(hidden=48, layers=3, heads=2, steps=3, batch=4, warmup=1),
    language=LanguageRecipe(
        hidden=64,
        layers=2,
        heads=2,
        intermediate=96,
        vocab=600,
        steps=3,
        polish_steps=2,
        polish_pictures=4,
        pictures_per_step=3,
        talk_rows=1,
        row_tokens=200,
        warmup=1,
        lookup_steps=1,
        drop_at=2,
    ),
    pictures=24,
    safety_pictures=16,
    harmless_pictures=6,
    reply_pictures=4,
    talk=4,
    test=SuitePlan(per_cell=1, safe=6, typographic=1),
    calibration=SuitePlan(per_cell=1, safe=6, typographic=1),
    curve_sizes=(18, 28),
    curve_pairs=2,
    safety={"num_safety_tokens": 2, "head": {**_HEAD, "num_heads": 2, "context_width": 32, "fusion_width": 64}},
    head=_TINY,
    stage1=_TINY,
    stage2={**_TINY, "lora_r": 2, "lora_alpha": 4},
    replies=_TINY,
    flags=("--smoke",),
)
"""Runs every step in under a minute; the result is useless."""

RECIPES = {recipe.name: recipe for recipe in (SHIPPED, SMALL, SMOKE)}
