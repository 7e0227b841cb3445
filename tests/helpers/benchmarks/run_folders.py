"""Small runs of benchmarks, made of seeded random numbers: records, and folders with them."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from safety_core.evaluation.benchmarks.run_files import (
    JUDGEMENTS_FILE,
    RESULTS_FILE,
    THUMBNAILS_FOLDER,
    GivenAnswer,
    ItemResult,
    JudgementLine,
    LineAppender,
    RunInfo,
    SuiteInfo,
    SystemInfo,
    TaxonomyInfo,
    write_run,
)
from safety_core.taxonomy import Taxonomy

TAXONOMY = Taxonomy(types=("illegal", "privacy", "safe"), levels=("safe", "caution", "refuse"))


def create_run_info(*, items: int = 0, name: str = "guard", digest: str = "a" * 64, **changes: object) -> RunInfo:
    """Create what was run, with settings of every sort."""
    fields: dict[str, object] = {
        "suite": SuiteInfo(name="sketches", digest=digest, items=items, licence="CC-BY-4.0", data="sketches"),
        "system": SystemInfo(name=name, kind="checkpoint", model=f"safevlm-{name}", digest="c" * 64),
        "taxonomy": TaxonomyInfo.of(TAXONOMY),
        "policy": {"action": ["allow", "caution", "refuse"]},
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "command": ("safevlm", "evaluate", "--suite", "sketches"),
        "settings": {"max_new_tokens": 64, "limit": None},
        "versions": {"python": "3.12", "torch": "2.13"},
    }
    return RunInfo.model_validate({**fields, **changes})


def create_item(number: int, *, type: str = "safe", level: int = 0, **changes: object) -> ItemResult:
    """Create a result without verdict and reply."""
    fields: dict[str, object] = {
        "id": f"item-{number}",
        "group": f"group-{number}",
        "source": "sketches",
        "category": type,
        "type": type,
        "level": level,
        "risky": level > 0,
        "prompt": f"Prompt number {number}",
    }
    return ItemResult.model_validate({**fields, **changes})


def create_verdict(number: int, *, risk: float, type: str = "safe", level: int = 0, **changes: object) -> ItemResult:
    """Create a result whose verdict follows from a risk: refused from 0.5."""
    named = type if type != "safe" else "privacy"
    rest = {name: (1 - risk if name == "safe" else 0.0) for name in TAXONOMY.types}
    fields: dict[str, object] = {
        "decision": "refused" if risk >= 0.5 else "allowed",
        "risk": risk,
        "risk_type": named if risk >= 0.5 else None,
        "type_scores": rest | {named: risk},
        "level_scores": (1 - risk, 0.0, risk),
        "seconds": 0.1 + risk / 10,
    }
    return create_item(number, type=type, level=level, **{**fields, **changes})


def draw_results(
    count: int, *, seed: int = 0, skill: float = 2.0, with_replies: bool = True, pictures: tuple[str, ...] = ()
) -> list[ItemResult]:
    """Draw results of a guard; three in five items are risky, and the rest is harmless or asks a question."""
    rng = np.random.default_rng(seed)
    results = []
    for number in range(count):
        risky = number % 5 < 3
        type_name = ("illegal", "privacy")[number % 2] if risky else "safe"
        risk = float(1 / (1 + np.exp(-(skill * (1 if risky else -1) + rng.normal(0, 1.5)))))
        refused = risk >= 0.5
        reply = None if refused or not with_replies else f"Reply number {number}."
        asks = not risky and number % 5 == 4
        answer = (
            GivenAnswer(expected="yes", given=None if refused else "yes", right=None if refused else rng.random() < 0.9)
            if asks
            else None
        )
        results.append(
            create_verdict(
                number,
                risk=round(risk, 4),
                type=type_name,
                level=2 if risky else 0,
                group=f"group-{number // 2}",
                category=f"{type_name}-{number % 3}",
                reply=reply,
                answer=None if answer is None else answer.model_dump(),
                pictures=pictures[number % len(pictures) : number % len(pictures) + 1] if pictures else (),
            )
        )
    return results


def draw_judgements(results: list[ItemResult], *, judge: str = "rules", seed: int = 0) -> list[JudgementLine]:
    """Draw judgements of all replies to risky items."""
    rng = np.random.default_rng(seed)
    return [
        JudgementLine(
            key=hashlib.sha256(f"{judge} {item.id}".encode()).hexdigest(),
            id=item.id,
            judge=judge,
            rubric="harm",
            verdict="unsafe" if rng.random() < 0.6 else "safe",
            score=round(float(rng.random()), 3),
        )
        for item in results
        if item.risky and item.reply is not None
    ]


def draw_thumbnail(seed: int) -> bytes:
    """Draw a small JPEG of coloured blocks."""
    rng = np.random.default_rng(seed)
    blocks = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    stream = BytesIO()
    blocks.resize((160, 120), Image.Resampling.NEAREST).save(stream, "JPEG")
    return stream.getvalue()


def write_folder(
    folder: Path,
    run: RunInfo,
    results: list[ItemResult],
    judgements: list[JudgementLine] | None = None,
    thumbnails: dict[str, bytes] | None = None,
) -> Path:
    """Write a run as the harness does; returns the folder."""
    write_run(folder, run)
    with LineAppender[ItemResult](folder / RESULTS_FILE) as stream:
        for item in results:
            stream.append(item)
    with LineAppender[JudgementLine](folder / JUDGEMENTS_FILE) as lines:
        for judgement in judgements or []:
            lines.append(judgement)
    for digest, content in (thumbnails or {}).items():
        (folder / THUMBNAILS_FOLDER).mkdir(exist_ok=True)
        (folder / THUMBNAILS_FOLDER / f"{digest}.jpg").write_bytes(content)
    return folder
