"""Builds safevlm-small from a folder of public sets: alignment, training files, both stages, thresholds, checkpoint.

Every step writes into the working folder and creates a marker when it is complete, so a killed build resumes at the
step where it stopped; the long trainings also resume within their step. The safety modules are trained and calibrated
by the same entry points as those of any other model.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.calibrate import calibrate_checkpoint
from safety_core.model.checkpoint.checkpoint import POLICY_FILE, load_checkpoint, save_checkpoint, update_policy
from safety_core.model.spec import BackboneRef, read_spec
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Action
from safety_core.small.build.recipe import Recipe
from safety_core.small.build.training_files import write_training_files
from safety_core.small.corpus.loading import load_records
from safety_core.small.corpus.sources import FREE_TERMS, SOURCES
from safety_core.small.rendering.kinds import Split
from safety_core.training.config import TrainConfig
from safety_core.training.run import train

_FILES: tuple[Split, ...] = ("train", "calibration", "development")

_CALIBRATION_FILES = ("words.jsonl", "pictures.jsonl")


@dataclass(slots=True, kw_only=True)
class Build:
    """One build in its working folder."""

    data: Path
    """Folder of the public sets."""

    backbone: Path
    """The backbone that ``safevlm parts fetch`` assembled, with the trained projector."""

    root: Path
    """The working folder."""

    recipe: Recipe
    """Sizes and lengths."""

    permissive: bool = False
    """Whether to leave out sets that are research-only, share-alike, or whose terms are unstated."""

    device: str = "cpu"

    show: bool = True
    """Whether progress bars are shown."""

    def steps(self) -> dict[str, Callable[[], None]]:
        """Name → step, in order."""
        return {
            "files": self.write_files,
            "words": self.train_on_words,
            "pictures": self.train_on_pictures,
            "replies": self.train_on_replies,
            "calibrate": self.calibrate,
            "ship": self.export_checkpoint,
        }

    def run(self, only: str | None = None) -> None:
        """Run every step that is not complete yet, or one of them.

        Raises:
            ConfigError: the folder holds a build of another recipe, or the step does not exist.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self._claim_folder()
        steps = self.steps()
        if only is not None and only not in steps:
            raise ConfigError(f"step: must be one of {list(steps)}, got {only!r}")
        for name, step in steps.items():
            marker = self.root / f"{name}.done"
            if not marker.exists() and only in (None, name):
                step()
                marker.touch()

    def write_files(self) -> None:
        """Write the training files of every split."""
        corpus = load_records(self.data)
        if self.permissive:
            corpus = corpus.leave_out({name for name, source in SOURCES.items() if source.terms not in FREE_TERMS})
        counts = {}
        for split in _FILES:
            amounts = self.recipe.amounts if split == "train" else self.recipe.measured
            counts[split] = write_training_files(
                corpus, split, self.root / split, amounts=amounts, seed=self.recipe.seed, show=self.show
            )
        (self.root / "files.json").write_text(json.dumps(counts, indent=1) + "\n")

    def train_on_words(self) -> None:
        """Train the head and the prompt adapter on words."""
        fields = {"safety": self.recipe.safety, "reader": "rapidocr", **self.recipe.words}
        self._train("words", self.backbone, 1, fields, ["words"])

    def train_on_pictures(self) -> None:
        """Train head and projector on words and pictures, with the texts read before."""
        self._train("pictures", self.root / "words", 1, self.recipe.pictures, ["words", "pictures"])

    def train_on_replies(self) -> None:
        """Train the language model's tokens and LoRA on descriptions and safe replies."""
        self._train("replies", self.root / "pictures", 2, {"train_parts": "lm", **self.recipe.replies}, ["replies"])

    def calibrate(self) -> None:
        """Choose thresholds on the calibration split; level 2 is refused."""
        checkpoint = self.root / "calibrated"
        shutil.rmtree(checkpoint, ignore_errors=True)
        shutil.copytree(self.root / "replies", checkpoint)
        policy = load_policy(checkpoint / POLICY_FILE, read_spec(checkpoint).taxonomy)
        actions = {kind: {**levels, 2: Action.REFUSE} for kind, levels in policy.actions.items()}
        update_policy(checkpoint, replace(policy, actions=actions))
        split = self.root / "calibration.jsonl"
        lines = [(self.root / "calibration" / name).read_text(encoding="utf-8") for name in _CALIBRATION_FILES]
        split.write_text("".join(lines), encoding="utf-8")
        counts = calibrate_checkpoint(checkpoint, split, goal=self.recipe.goal, device=self.device).counts
        (self.root / "calibration.json").write_text(json.dumps(counts, indent=1) + "\n")

    def export_checkpoint(self) -> None:
        """Write the checkpoint that ships; it refers to the backbone beside it."""
        out = self.root / "safevlm-small"
        shutil.rmtree(out, ignore_errors=True)
        model = load_checkpoint(self.root / "calibrated")
        model.source = BackboneRef(path=str(self.backbone.resolve()))
        save_checkpoint(
            model,
            out,
            policy=load_policy(self.root / "calibrated" / POLICY_FILE, model.taxonomy),
            provenance={"trained": True, "recipe": self.recipe.to_dict(), "permissive": self.permissive},
            model_card="",
        )

    def _train(self, name: str, start: Path, stage: int, fields: Mapping[str, Any], files: list[str]) -> None:
        out = self.root / name
        if out.exists():
            return
        train(
            TrainConfig(
                backbone=str(start),
                data=tuple(str(self.root / "train" / f"{file}.jsonl") for file in files),
                out=str(out),
                stage=stage,
                cache_features=str(self.root / "cache"),
                device=self.device,
                seed=self.recipe.seed,
                **{"progress": self.show, **fields},
            )
        )

    def _claim_folder(self) -> None:
        """Record the recipe in the folder; raises ConfigError if the folder belongs to another build."""
        wanted = json.dumps({**self.recipe.to_dict(), "permissive": self.permissive}, sort_keys=True)
        file = self.root / "recipe.json"
        if not file.exists():
            file.write_text(wanted)
        elif file.read_text() != wanted:
            raise ConfigError(f"{self.root}: holds a build of another recipe; remove it or name another folder")
