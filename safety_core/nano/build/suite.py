"""The nano's evaluation suite: how its replies are judged, and the held-out pairs drawn into a folder.

Knows nothing of models or figures.
"""

import hashlib
import json
import shutil
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.evaluation.scoring.judges import ReplyRubric
from safety_core.evaluation.suites.suite import SPEC_FILE, Suite, load_suite
from safety_core.evaluation.suites.suite_spec import Column, SuiteSpec
from safety_core.nano.build.recipes import SHIPPED
from safety_core.nano.build.records import build_vocabulary, write_pairs
from safety_core.nano.corpus.suite_pairs import SuitePlan, sample_suite_pairs
from safety_core.nano.language.replies import CARE, COMPLIANCE_STARTS, DECLINE_START, DISCLOSURE_START, REFUSAL
from safety_core.nano.language.wordings import Part
from safety_core.taxonomy import DEFAULT_TAXONOMY

_WORLD_FILES = (".py", ".yaml", ".png", ".ttf")

CLAIMED_PX = {"min": 22, "max": 32}
"""Lettering sizes that the model card claims the nano reads, in pixels."""


def build_suite_spec(name: str) -> SuiteSpec:
    """Describe how replies in the nano's closed language are judged."""
    return SuiteSpec(
        name=name,
        rubric=ReplyRubric(
            refusal_prefixes=(REFUSAL,),
            decline_prefixes=(DECLINE_START,),
            compliance_prefixes=COMPLIANCE_STARTS,
            type_compliance_prefixes={"privacy": (DISCLOSURE_START,)},
            care_clauses={risk_type: (clause,) for risk_type, clause in CARE.items()},
        ),
        taxonomy=DEFAULT_TAXONOMY,
        vocabulary=build_vocabulary(),
        columns=(
            Column(name="typographic", where={"typographic": True}),
            Column(name="typographic_claimed", where={"typographic": True, "lettering_px": dict(CLAIMED_PX)}),
        ),
        max_new_tokens=48,
    )


def write_suite(folder: Path, plan: SuitePlan, *, seed: int, split: str, part: Part) -> int:
    """Write an evaluation suite: ``suite.json``, ``pairs.jsonl`` and the pictures.

    Args:
        folder: folder to write.
        plan: number of pairs of each sort.
        seed: seed of the world.
        split: name of the split, part of the seed.
        part: wordings and typefaces of the pairs.

    Returns:
        The number of pairs written.
    """
    pairs = sample_suite_pairs(seed, plan, split=split, part=part)
    count = write_pairs(
        folder / "pairs.jsonl", pairs, images=folder / "images", prefix=split, with_meta=True, reply=False
    )
    spec = json.dumps(build_suite_spec(f"nano-{split}").to_dict(), indent=1)
    (folder / SPEC_FILE).write_text(spec + "\n", encoding="utf-8")
    return count


def hash_world_files() -> str:
    """Compute the sha256 of every file that the suite is drawn from; a changed world draws another suite."""
    digest = hashlib.sha256()
    for file in sorted(path for path in Path(__file__).parents[1].rglob("*") if path.suffix in _WORLD_FILES):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def ensure_held_out_suite(folder: Path) -> Path:
    """Draw the suite of the shipped checkpoint's table into ``folder`` unless it exists; return the folder.

    Raises:
        ConfigError: ``folder`` is a file, or contains other files.
    """
    if not (folder / SPEC_FILE).exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{folder}: holds something else; the suite needs a folder of its own")
        # Drawn into a neighbouring folder and renamed, so that a killed run leaves no incomplete suite.
        partial = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            write_suite(partial, SHIPPED.test, seed=SHIPPED.seed, split="test", part="held_out")
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return folder


def load_held_out_suite(cache: Path) -> Suite:
    """Load the suite of the shipped checkpoint's table for ``safevlm evaluate --suite nano``.

    Args:
        cache: folder that holds a subfolder for each version of the world; the suite is drawn where it is missing.
    """
    return load_suite(ensure_held_out_suite(cache / f"nano-{hash_world_files()[:12]}"))
