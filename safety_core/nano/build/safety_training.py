"""The second half of a build: safety modules in two stages, thresholds, evaluation, and the checkpoint that ships.

It calls the same entry points as the training of any other backbone, with the nano's files and numbers. The public
reference's head is trained with the same steps, seed and data, for the last row of the table.
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
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.model.checkpoint.checkpoint import BACKBONE_DIR, POLICY_FILE, load_checkpoint, save_checkpoint
from safety_core.model.config import HeadConfig
from safety_core.model.spec import BackboneRef
from safety_core.nano.build.corpus_files import HARMLESS, HINTS_FILE, REPLIES, TRAIN
from safety_core.nano.build.examples import CANARY, write_examples
from safety_core.nano.build.lettering_size import measure_reading_curve
from safety_core.nano.build.model_card import format_model_card
from safety_core.nano.build.recipes import Recipe
from safety_core.nano.pretrain.precision import has_bfloat16
from safety_core.nano.pretrain.progress import StepBar
from safety_core.policy.documents import load_guarantee, load_policy
from safety_core.policy.policy import Decision
from safety_core.training.config import TrainConfig
from safety_core.training.run import train

REPORT = "report"
CALIBRATION = "calibration.json"
SHIPPED = "safevlm-nano"
ABLATIONS = ("stage1", "first_token")
"""Checkpoints of the table's other rows; they ship without a backbone and refer to that of the shipped one."""

_ABLATION_CARD = """# safevlm-nano, row `{row}`

One row of the table in `../safevlm-nano/MODEL_CARD.md`, kept so that the table can be measured again. Not for serving.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyTraining:
    """Trains, evaluates and exports the safety modules, step by step."""

    recipe: Recipe
    """Sizes and lengths."""

    root: Path
    """Working folder of the build."""

    device: str = "cpu"
    """Device of the training."""

    show: bool = True
    """Whether progress bars are shown."""

    def steps(self) -> dict[str, Callable[[], None]]:
        """Name → step, in order."""
        return {
            "stage1": self.train_stage1,
            "stage2": self.train_stage2,
            "replies": self.train_on_replies,
            "reference": self.train_reference,
            "calibrate": self.calibrate,
            "evaluate": self.evaluate,
            "ship": self.export_checkpoints,
        }

    def train_stage1(self) -> None:
        """Train tokens, projector and head with the backbone frozen."""
        self._run_stage1("stage1", self.recipe.safety)

    def train_stage2(self) -> None:
        """Train a LoRA on the language model together with the modules."""
        self._run_stage2("stage2", self.root / "stage1")

    def train_on_replies(self) -> None:
        """Train the head to judge replies by their words alone; all other parameters are frozen."""
        fields = {"train_parts": "head", "precision": self._precision, **self.recipe.replies}
        self._train("replies", self.root / "stage2", 1, fields, data=(TRAIN, REPLIES))

    def train_reference(self) -> None:
        """Train both stages with the public reference's head."""
        heads = int(self.recipe.safety["head"]["num_heads"])
        head = HeadConfig.create_reference(heads)
        shape = {name: getattr(head, name) for name in head.__dataclass_fields__}
        self._run_stage1("first_token1", {**self.recipe.safety, "head": shape})
        self._run_stage2("first_token", self.root / "first_token1")

    def calibrate(self) -> None:
        """Calibrate every checkpoint of the table on the calibration split."""
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
        """Evaluate all systems on the held-out suite, and measure the reading of lettering by size."""
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
        curve = measure_reading_curve(
            load_system(bare, device=self.device).model,
            sizes=self.recipe.curve_sizes,
            pairs=self.recipe.curve_pairs,
            seed=self.recipe.seed,
        )
        (self.root / REPORT / "reading.json").write_text(json.dumps(curve, indent=1) + "\n")

    def export_checkpoints(self) -> None:
        """Write the checkpoint that ships, with card and canary, and the checkpoints of the table's other rows."""
        out = self.root / SHIPPED
        shutil.rmtree(out, ignore_errors=True)
        table = (self.root / REPORT / "report.md").read_text(encoding="utf-8")
        curve = json.loads((self.root / REPORT / "reading.json").read_text(encoding="utf-8"))
        card = format_model_card(table, curve, self._read_tallies()["replies"], self.recipe)
        self._save("replies", out, card=card, include_backbone=True)
        png = write_examples(self.root / "examples")[CANARY.file].read_bytes()
        write_canary(out, png, prompt=CANARY.prompt, decision=self._decide(out, png, CANARY.prompt))
        for row in ABLATIONS:
            target = self.root / f"{SHIPPED}-{row.replace('_', '-')}"
            shutil.rmtree(target, ignore_errors=True)
            self._save(row, target, card=_ABLATION_CARD.format(row=row), backbone=out / BACKBONE_DIR)

    def _decide(self, checkpoint: Path, png: bytes, prompt: str) -> Decision:
        """Return the decision of a checkpoint's guard on a picture; that of a small build may be wrong."""
        guard = load_guard(checkpoint, device=self.device)
        picture = decode_image(png, fill=guard.info.pad_colour)
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
            guarantee=load_guarantee(self.root / step / POLICY_FILE, model.taxonomy),
            provenance={
                "trained": True,
                "recipe": json.loads(json.dumps(self.recipe.to_dict(), default=str)),
                "command": " ".join(("safevlm", "nano", "build", *self.recipe.flags)),
                "calibration": self._read_tallies()[step],
            },
            model_card=card,
            include_backbone=include_backbone,
        )

    def _read_tallies(self) -> dict[str, dict[str, int]]:
        tallies: dict[str, dict[str, int]] = json.loads((self.root / REPORT / CALIBRATION).read_text(encoding="utf-8"))
        return tallies

    @property
    def _corpus(self) -> Path:
        return self.root / "corpus"

    def _run_stage1(self, name: str, shape: Mapping[str, Any]) -> None:
        """Run stage 1 in two runs: head and LM group share no parameters, and the head needs no language model."""
        between = f"{name}-head"
        fields = {"safety": shape, "hints": str(self._corpus / HINTS_FILE), "train_parts": "head"}
        fields |= {"precision": self._precision, **self.recipe.head}
        if not (self.root / between).exists():
            self._train(between, self.root / "backbone", 1, fields)
        self._train(name, self.root / between, 1, {**self.recipe.stage1, "train_parts": "lm"})

    def _run_stage2(self, name: str, start: Path) -> None:
        self._train(name, start, 2, {"precision": self._precision, **self.recipe.stage2})

    @property
    def _precision(self) -> str:
        """Precision of the training: 16 bit if the processor is faster with it, as for tower and language model."""
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
