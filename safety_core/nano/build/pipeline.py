"""Builds the nano from one seed: tower, corpus, language model, safety modules, calibration, evaluation, checkpoint.

Every step writes into its own folder and creates a marker when it is complete, so a killed build resumes at the step
where it stopped; the long trainings also resume within their step. A folder belongs to one recipe and rejects others.
The safety modules are trained, calibrated and evaluated by the same entry points as any other model.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.nano.build.backbone import BackboneTraining
from safety_core.nano.build.corpus_files import write_corpus
from safety_core.nano.build.recipes import Recipe
from safety_core.nano.build.safety_training import SafetyTraining
from safety_core.nano.pretrain.progress import StepBar

NEEDS: dict[str, tuple[str, ...]] = {
    "vision": (),
    "tokenizer": (),
    "features": ("vision",),
    "language": ("vision", "tokenizer", "features"),
    "corpus": (),
    "stage1": ("language", "corpus"),
    "stage2": ("stage1",),
    "replies": ("stage2",),
    "reference": ("language", "corpus"),
    "calibrate": ("stage1", "replies", "reference"),
    "evaluate": ("calibrate",),
    "ship": ("evaluate",),
}
"""Step → steps whose results it reads."""


@dataclass(slots=True, kw_only=True)
class Build:
    """One build in its working folder."""

    recipe: Recipe
    """Sizes and lengths."""

    root: Path
    """The working folder."""

    device: str = "cpu"
    """Device of the trainings."""

    show: bool = True
    """Whether progress bars are shown."""

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    def steps(self) -> dict[str, Callable[[], None]]:
        """Name → step, in order."""
        backbone = BackboneTraining(recipe=self.recipe, root=self.root, device=self.device, show=self.show)
        safety = SafetyTraining(recipe=self.recipe, root=self.root, device=self.device, show=self.show)
        return {**backbone.steps(), "corpus": self.write_corpus, **safety.steps()}

    def write_corpus(self) -> None:
        """Write the corpus of the safety modules."""
        with StepBar("corpus", self.show) as advance:
            write_corpus(self.recipe, self.root / "corpus", advance)

    def run(self, only: str | None = None) -> None:
        """Run every step that is not complete yet, or one of them.

        Raises:
            ConfigError: the folder contains a build of another recipe, the step does not exist, or a step that it
                needs is not complete.
        """
        self._claim_folder()
        steps = self.steps()
        if only is not None and only not in steps:
            raise ConfigError(f"step: must be one of {list(steps)}, got {only!r}")
        for name, step in steps.items():
            marker = self.root / f"{name}.done"
            if marker.exists() or (only is not None and name != only):
                continue
            if missing := [other for other in NEEDS[name] if not (self.root / f"{other}.done").exists()]:
                raise ConfigError(f"step {name}: {', '.join(missing)} must come first")
            step()
            marker.touch()

    def _claim_folder(self) -> None:
        """Record the recipe in the folder; raises ConfigError if the folder belongs to another recipe."""
        wanted = json.dumps(self.recipe.to_dict(), sort_keys=True, default=str)
        file = self.root / "recipe.json"
        if not file.exists():
            file.write_text(wanted)
        elif file.read_text() != wanted:
            raise ConfigError(f"{self.root}: holds a build of another recipe; remove it or name another folder")
