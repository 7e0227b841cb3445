"""Folders that measurements read and write."""

from pathlib import Path

ROOT = Path(__file__).parents[1]

CHECKPOINT = ROOT / "weights" / "safevlm-nano"

SMALL = ROOT / "weights" / "safevlm-small"

BUILD = ROOT / "build"
"""Files that git ignores."""

RESULTS = Path(__file__).parent / "results"
