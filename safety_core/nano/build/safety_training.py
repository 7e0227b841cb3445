"""Arms the nano: safety modules in two stages, thresholds, the table, and the checkpoint that ships.

Everything here goes through the entry points that a user's own backbone goes through; the nano only says which files
and numbers. The public reference's head is trained by the same steps, seed and data, for the table's last row.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_core.engine.canary import write_canary
from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.evaluation.calibration.calibrate import calibrate_checkpoint
from safety_core.evaluation.runs.run import EvaluationConfig, evaluate
from safety_core.evaluation.runs.systems import list_standard_systems, load_system
from safety_core.evaluation.statistics.bars import DEFAULT_BARS
from safety_core.inputs.images.decoding import decode
from safety_core.inputs.prompts import Turn
from safety_core.model.checkpoint.checkpoint import BACKBONE_DIR, POLICY_FILE, load_checkpoint, save_checkpoint
from safety_core.model.config import HeadConfig
from safety_core.model.spec import BackboneRef
from safety_core.nano.build.examples import CANARY, write_examples
from safety_core.nano.build.lettering_size import reading_curve
from safety_core.nano.build.model_card import model_card
from safety_core.nano.build.recipes import Recipe
from safety_core.nano.pretrain.precision import has_bfloat16
from safety_core.nano.pretrain.progress import StepBar
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Decision
from safety_core.training.config import TrainConfig
from safety_core.training.run import train

TRAIN, HARMLESS, REPLIES = "train.jsonl", "harmless.jsonl", "replies.jsonl"
"""What both stages learn from, what stage 2 learns from besides, and what the head learns to judge replies from."""

REPORT = "report"
CALIBRATION = "calibration.json"
SHIPPED = "safevlm-nano"
ABLATIONS = ("stage1", "first_token")
"""Checkpoints of the table's other rows; they ship without a backbone and refer to the shipped one's."""

_ABLATION_CARD = """# safevlm-nano, row `{row}`

One row of the table in `../safevlm-nano/MODEL_CARD.md`, kept so that the table can be measured again. Not for serving.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defence:
    """The second half of a build: from a backbone and a corpus to a checkpoint."""

    recipe: Recipe
    """How big."""

    root: Path
    """The build's working folder."""

    device: str = "cpu"
    """Where the modules are trained."""

    show: bool = True
    """Whether progress bars are shown."""

    def steps(self) -> dict[str, Callable[[], None]]:
        """The steps in order, by name."""
        return {
            "stage1": self.stage1,
            "stage2": self.stage2,
            "replies": self.replies,
            "reference": self.reference,
            "calibrate": self.calibrate,
            "evaluate": self.evaluate,
            "ship": self.ship,
        }

    def stage1(self) -> None:
        """Tokens, projector and head beside the frozen backbone."""
        self._stage1("stage1", self.recipe.safety)

    def stage2(self) -> None:
        """A LoRA on the language model, the modules still learning."""
        self._stage2("stage2", self.root / "stage1")

    def replies(self) -> None:
        """Teach the head to judge replies as well, by their words alone; nothing else learns."""
        fields = {"train_parts": "head", "precision": self._precision, **self.recipe.replies}
        self._train("replies", self.root / "stage2", 1, fields, data=(TRAIN, REPLIES))

    def reference(self) -> None:
        """The same two stages with the public reference's head."""
        heads = int(self.recipe.safety["head"]["num_heads"])
        head = HeadConfig.create_reference(heads)
        shape = {name: getattr(head, name) for name in head.__dataclass_fields__}
        self._stage1("first_token1", {**self.recipe.safety, "head": shape})
        self._stage2("first_token", self.root / "first_token1")

    def calibrate(self) -> None:
        """Thresholds of every checkpoint that takes part in the table, on the calibration split."""
        split = self._corpus / "calibration" / "pairs.jsonl"
        tallies = {}
        names = ("stage1", "replies", "first_token")
        with StepBar("calibrate", self.show) as advance:
            for done, name in enumerate(names):
                advance.update_part(name, done, len(names))
                tallies[name] = calibrate_checkpoint(self.root / name, split, device=self.device).counts
        (self.root / REPORT).mkdir(exist_ok=True)
        (self.root / REPORT / CALIBRATION).write_text(json.dumps(tallies, indent=1) + "\n")

    def evaluate(self) -> None:
        """The table of all rows on the held-out suite, and how large lettering must be to be read."""
        rows = list_standard_systems(
            self.root / "replies", stage1=self.root / "stage1", first_token=self.root / "first_token"
        )
        with StepBar("evaluate", self.show) as advance:
            evaluate(
                self._corpus / "test",
                rows,
                out=self.root / REPORT,
                bars=DEFAULT_BARS if self.recipe.has_bars else (),
                config=EvaluationConfig(device=self.device),
                command=("safevlm", "nano", "build", *self.recipe.flags),
                progress=advance.update_part,
            )
        bare = next(row for row in rows if row.name == "bare")
        curve = reading_curve(
            load_system(bare, device=self.device).model,
            sizes=self.recipe.curve_sizes,
            pairs=self.recipe.curve_pairs,
            seed=self.recipe.seed,
        )
        (self.root / REPORT / "reading.json").write_text(json.dumps(curve, indent=1) + "\n")

    def ship(self) -> None:
        """Write the checkpoint that ships, with card and canary, and the table's other rows beside it."""
        out = self.root / SHIPPED
        shutil.rmtree(out, ignore_errors=True)
        table = (self.root / REPORT / "report.md").read_text(encoding="utf-8")
        curve = json.loads((self.root / REPORT / "reading.json").read_text(encoding="utf-8"))
        card = model_card(table, curve, self._tallies()["replies"], self.recipe)
        self._save("replies", out, card=card, include_backbone=True)
        png = write_examples(self.root / "examples")[CANARY.file].read_bytes()
        write_canary(out, png, prompt=CANARY.prompt, decision=self._decision(out, png, CANARY.prompt))
        for row in ABLATIONS:
            target = self.root / f"{SHIPPED}-{row.replace('_', '-')}"
            shutil.rmtree(target, ignore_errors=True)
            self._save(row, target, card=_ABLATION_CARD.format(row=row), backbone=out / BACKBONE_DIR)

    def _decision(self, checkpoint: Path, png: bytes, prompt: str) -> Decision:
        """What a checkpoint's guard decides about a picture: for a small build that need not be what is hoped for."""
        guard = load_guard(checkpoint, device=self.device)
        picture = decode(png, fill=guard.info.pad_colour)
        turns = (Turn(role="user", text=prompt),)
        return guard.assess(GuardRequest(images=(picture,), turns=turns)).verdict.decision

    def _save(
        self, step: str, out: Path, *, card: str, include_backbone: bool = False, backbone: Path | None = None
    ) -> None:
        model = load_checkpoint(self.root / step)
        if backbone is not None:
            model.source = BackboneRef(path=str(backbone.resolve()))
        save_checkpoint(
            model,
            out,
            policy=load_policy(self.root / step / POLICY_FILE, model.taxonomy),
            provenance={
                "trained": True,
                "recipe": json.loads(json.dumps(self.recipe.to_dict(), default=str)),
                "command": " ".join(("safevlm", "nano", "build", *self.recipe.flags)),
                "calibration": self._tallies()[step],
            },
            model_card=card,
            include_backbone=include_backbone,
        )

    def _tallies(self) -> dict[str, dict[str, int]]:
        tallies: dict[str, dict[str, int]] = json.loads((self.root / REPORT / CALIBRATION).read_text(encoding="utf-8"))
        return tallies

    @property
    def _corpus(self) -> Path:
        return self.root / "corpus"

    def _stage1(self, name: str, shape: Mapping[str, Any]) -> None:
        """Stage 1 in two runs: head and LM group share no parameters, and a head needs no language model to learn."""
        between = f"{name}-head"
        fields = {"safety": shape, "hints": str(self._corpus / "hints.json"), "train_parts": "head"}
        fields |= {"precision": self._precision, **self.recipe.head}
        if not (self.root / between).exists():
            self._train(between, self.root / "backbone", 1, fields)
        self._train(name, self.root / between, 1, {**self.recipe.stage1, "train_parts": "lm"})

    def _stage2(self, name: str, start: Path) -> None:
        self._train(name, start, 2, {"precision": self._precision, **self.recipe.stage2})

    @property
    def _precision(self) -> str:
        """16 bit where the processor multiplies that faster, as tower and language model were trained."""
        return "bf16" if has_bfloat16(self.device) else "fp32"

    def _train(
        self, name: str, start: Path, stage: int, fields: Mapping[str, Any], *, data: tuple[str, ...] = ()
    ) -> None:
        files = data or (TRAIN, HARMLESS)[:stage]
        out = self.root / name
        if out.exists():
            return
        train(
            TrainConfig(
                backbone=str(start),
                data=tuple(str(self._corpus / file) for file in files),
                out=str(out),
                stage=stage,
                cache_features=str(self.root / "cache"),
                device=self.device,
                seed=self.recipe.seed,
                **{"progress": self.show, **fields},
            )
        )
