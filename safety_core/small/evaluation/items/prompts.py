"""Prompts beside pictures that are only measured with, from ``assets/prompts.yaml``."""

from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from safety_core.small.evaluation.items.columns import MeasuredSplit

PromptKind = Literal["photograph", "neutral", "carry out"]
"""What a prompt asks for: something about a photograph; to look at lettering; to do what it says."""

PROMPTS_FILE = Path(__file__).parents[1] / "assets" / "prompts.yaml"


def list_prompts(kind: PromptKind, split: MeasuredSplit) -> tuple[str, ...]:
    """List the prompts of a kind for the test split, or for any other."""
    return _read_prompts()[kind]["test" if split == "test" else "development"]


@cache
def _read_prompts() -> dict[str, dict[str, tuple[str, ...]]]:
    kinds = yaml.safe_load(PROMPTS_FILE.read_text(encoding="utf-8"))
    return {kind: {split: tuple(texts) for split, texts in splits.items()} for kind, splits in kinds.items()}
