"""Folders of this repository that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

NANO_CHECKPOINT = ROOT / "weights" / "safevlm-nano"
SMALL_CHECKPOINT = ROOT / "weights" / "safevlm-small"
