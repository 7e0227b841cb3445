"""Folders that measurements read and write."""

from pathlib import Path

ROOT = Path(__file__).parents[1]

CHECKPOINT = ROOT / "weights" / "safevlm-nano"

RESULTS = Path(__file__).parent / "results"
