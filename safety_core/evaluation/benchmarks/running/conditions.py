"""Conditions of a run that its record names: the commit of the code and the versions of packages."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("safevlm-guard", "torch", "transformers", "tokenizers", "numpy", "pillow", "scikit-learn", "httpx")
"""Packages whose versions may change results."""

_TIMEOUT_S = 10


def read_commit(folder: Path = Path(__file__).parent) -> str | None:
    """Read the commit of the code, with ``+`` if files were changed since; None outside a repository."""
    commit = _run_git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _run_git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+" if changes is None or changes else commit


def list_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """List the versions of Python and of the packages that are installed."""
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _run_git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
