"""The baselines by name. Those that are trained on the corpus of another package are loaded by import path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.systems.baselines.profanity import load_profanity_baseline
from safety_core.evaluation.benchmarks.systems.system import System

PROFANITY = "profanity"

LOADERS: Mapping[str, str] = {
    "tfidf": "safety_core.small.evaluation.benchmark_baselines:load_baseline",
    "minilm": "safety_core.small.evaluation.benchmark_baselines:load_baseline",
    "judge": "safety_core.small.evaluation.benchmark_baselines:load_baseline",
}
"""Name → import path of its :data:`BaselineLoader`, as ``module:function``."""

NAMES = (*LOADERS, PROFANITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRequest:
    """What a baseline is loaded with."""

    name: str
    build: Path
    """Folder for what is kept from run to run."""

    corpus: Path | None = None
    """Folder of the public sets that baselines are trained on."""

    checkpoint: Path | None = None
    """Checkpoint whose backbone the zero-shot judge asks."""

    device: str = "cpu"


BaselineLoader = Callable[[BaselineRequest], System]


def load_baseline(request: BaselineRequest) -> System:
    """Load a baseline.

    Raises:
        ConfigError: there is no such baseline, or a package, the corpus or the checkpoint that it needs is missing.
        InputError: the corpus contains none of its sets.
        CheckpointError: the checkpoint is damaged.
    """
    if request.name == PROFANITY:
        return load_profanity_baseline()
    if request.name not in LOADERS:
        raise ConfigError(f"--system: must be one of {', '.join(NAMES)}, got {request.name!r}")
    if request.corpus is None:
        raise ConfigError(
            f"--corpus: the baseline {request.name} needs the folder of the public sets that safevlm-small is trained "
            "on; docs/safevlm-small-data.md says which they are and how to bring them"
        )
    load: BaselineLoader = resolve_name(LOADERS[request.name])
    return load(request)
