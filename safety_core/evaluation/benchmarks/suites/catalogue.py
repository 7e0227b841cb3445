"""The suites by name: what they measure, where a user gets their data, and under which licence.

``docs/data.md`` and ``docs/benchmarks.md`` print the same places and licences; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from safety_core.errors import ConfigError

SEE_PAGE = "see its page"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteEntry:
    """One suite."""

    kind: Literal["safety", "ability", "records"]
    """What is measured: safety by an imported data set, ability by questions with one right answer, or safety by the
    user's own labelled records."""

    where: str
    """Where a user gets the data."""

    licence: str
    """Licence of the data, as their authors state it."""

    files: str
    """The files that ``--data`` must contain, in Markdown."""

    split: str | None = None
    """The part that is measured unless the user names another one."""


SUITES: Mapping[str, SuiteEntry] = {
    "vlguard": SuiteEntry(
        kind="safety",
        where="Hugging Face `ys-zong/VLGuard`, on request",
        licence="MIT by its card, for research only",
        files="`test.json` and `test/`",
        split="test",
    ),
    "rtvlm": SuiteEntry(
        kind="safety",
        where="Hugging Face `MMInstruction/RedTeamingVLM`",
        licence=SEE_PAGE,
        files="every `*.jsonl`; the zip files unpacked in place",
    ),
    "spa-vl": SuiteEntry(
        kind="safety",
        where="Hugging Face `sqrti/SPA-VL`",
        licence="see its page; the code is MIT",
        files="`*.parquet`, or `*.jsonl` and images",
        split="test",
    ),
    "mm-safetybench": SuiteEntry(
        kind="safety",
        where="GitHub `isXinLiu/MM-SafetyBench`",
        licence=SEE_PAGE,
        files="`processed_questions/*.json`, `imgs/SCENARIO/{SD,SD_TYPO,TYPO}/`",
    ),
    "figstep": SuiteEntry(
        kind="safety",
        where="GitHub `ThuCCSLab/FigStep`, folder `data`",
        licence="MIT",
        files="`question/safebench.csv`, `images/SafeBench/`",
    ),
    "xstest": SuiteEntry(
        kind="safety", where="GitHub `paul-rottger/xstest`", licence="CC-BY-4.0", files="`xstest_prompts.csv`"
    ),
    "harmbench": SuiteEntry(
        kind="safety",
        where="GitHub `centerforaisafety/HarmBench`",
        licence="MIT",
        files="`data/behavior_datasets/harmbench_behaviors_{text,multimodal}_all.csv`, "
        "`data/multimodal_behavior_images/`",
    ),
    "mme": SuiteEntry(
        kind="ability",
        where="GitHub `BradyFU/Awesome-Multimodal-Large-Language-Models`, branch `Evaluation`; or Hugging Face "
        "`lmms-lab/MME`",
        licence=SEE_PAGE,
        files="a folder for each task with images and texts, or `*.parquet`",
    ),
    "mmbench": SuiteEntry(
        kind="ability",
        where="GitHub `open-compass/MMBench`, a dev split",
        licence=SEE_PAGE,
        files="`*.tsv` with the images in base64",
    ),
    "seed": SuiteEntry(
        kind="ability",
        where="Hugging Face `AILab-CVC/SEED-Bench`",
        licence="Apache-2.0 by its README; images under their authors' terms",
        files="`SEED-Bench.json`, `SEED-Bench-image/`",
    ),
    "pope": SuiteEntry(
        kind="ability",
        where="GitHub `AoiDragon/POPE`, folder `output/coco`; images of COCO 2014 `val2014`",
        licence="MIT; photographs under their authors' terms",
        files="`coco_pope_{random,popular,adversarial}.json`, `val2014/`",
    ),
    "jsonl": SuiteEntry(
        kind="records",
        where="your own labelled records, as `safevlm data import` writes them",
        licence="your own",
        files="one JSONL file",
    ),
}
"""Name on the command line → suite."""


def describe_data(name: str) -> str:
    """Describe where the data of a suite come from, under which licence, and which files are read."""
    entry = SUITES[name]
    lines = (
        f"--suite {name} needs --data, the folder or file with its data, which are no part of this project.",
        f"  get it from: {entry.where}",
        f"  licence: {entry.licence} (check the page of the set before you use it)",
        f"  files read: {entry.files}",
        *([f"  part measured: {entry.split} (another one: --split)"] if entry.split else []),
    )
    return "\n".join(lines).replace("`", "")


def find_suite(name: str) -> SuiteEntry:
    """Find a suite; raises ConfigError, which lists the known ones, if there is none."""
    if name not in SUITES:
        raise ConfigError(f"suite: must be one of {sorted(SUITES)}, got {name!r}")
    return SUITES[name]
