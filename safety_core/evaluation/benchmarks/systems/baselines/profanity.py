"""The package ``alt-profanity-check`` as a baseline: a linear classifier of offensive words, which sees no pictures.

Its wheel carries the model and is under the MIT licence. The model is a pickle of scikit-learn, which runs code when it
is loaded, as importing any package does; it is read from the installed package only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.run_files import SystemInfo
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.systems.system import Result

PACKAGE = "alt-profanity-check"

Predict = Callable[[Sequence[str]], Any]
"""Texts → probability that each is offensive."""


class ProfanityBaseline:
    """Classifies the user's words.

    Args:
        predict: computes the probability of offence.
        digest: version of the package.
    """

    policy: Mapping[str, Any] | None = None

    def __init__(self, predict: Predict, *, digest: str | None = None) -> None:
        self._predict = predict
        self.info = SystemInfo(name=PACKAGE, kind="baseline", model=PACKAGE, digest=digest)

    def answer(self, item: Item) -> Result:
        """Judge the user's words: refused from a probability of one half; without words, allowed unseen."""
        words = "\n".join(turn.text for turn in item.turns if turn.role == "user")
        started = time.perf_counter()
        if not words.strip():
            return Result(decision="allowed", risk=0.0, seconds=0.0)
        risk = min(1.0, max(0.0, float(self._predict([words])[0])))
        seconds = time.perf_counter() - started
        return Result(decision="refused" if risk >= 0.5 else "allowed", risk=risk, seconds=seconds)


def load_profanity_baseline() -> ProfanityBaseline:
    """Load the installed package; raises ConfigError if it is not installed, or does not fit its scikit-learn."""
    try:
        from profanity_check import predict_prob
    except ImportError as exc:
        raise ConfigError("the baseline profanity needs the extra peers: pip install 'safevlm-guard[peers]'") from exc
    return ProfanityBaseline(predict_prob, digest=f"{PACKAGE} {version(PACKAGE)}")
