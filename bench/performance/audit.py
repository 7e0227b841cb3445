"""Audits of folders of pictures: their pace, their memory, and the planted risks that they find.

The bars need the default sizes, which take about an hour and a half on two cores. Smaller sizes show that everything
works; their figures say nothing about the bars, and belong into another folder (``--record``).
"""

import json
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from bench.contenders.audit_process import run_audit, run_batches
from bench.paths import RESULTS
from bench.reporting.estimates import Share, estimate_median, estimate_share
from bench.reporting.report import Bar, report_measurement

BATCHES = (4, 8, 16, 32)

LEAST_PRECISION = 0.90

_FLAGGED = ("refused", "cautioned")


Risks = list[tuple[float, bool]]
"""Risk of each picture that was flagged, and whether it was planted."""


@dataclass(frozen=True, slots=True)
class FoundRisks:
    """What an audit found of the planted pictures."""

    threshold: float
    """Risk from which flagged pictures count, chosen on other pictures."""

    recall: Share
    precision: Share
    plain_recall: Share
    """Recall of all flagged pictures."""

    plain_precision: Share


def measure_audit(
    pictures: Annotated[int, typer.Option(help="Pictures for the pace, in each round.", min=16)] = 2000,
    rounds: Annotated[int, typer.Option(help="Rounds of the pace.", min=1)] = 5,
    few: Annotated[int, typer.Option(help="Pictures of the small audit for the memory.", min=16)] = 1_000,
    many: Annotated[int, typer.Option(help="Pictures of the large audit for the memory.", min=16)] = 100_000,
    planted_of: Annotated[int, typer.Option(help="Pictures among which risky ones are planted.", min=16)] = 20_000,
    planted: Annotated[float, typer.Option(help="Share of planted pictures.", min=0.001, max=0.5)] = 0.01,
    chosen_on: Annotated[int, typer.Option(help="Other pictures, on which the threshold is chosen.", min=16)] = 5_000,
    held_out: Annotated[
        bool, typer.Option("--held-out/--trained", help="Typefaces and places that training never showed.")
    ] = False,
    record: Annotated[Path, typer.Option(help="Folder of the record.")] = RESULTS,
) -> None:
    """Pace beside offline batches, memory from few to many pictures, and recall and precision of planted risks."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        paces = [_measure_pace(root, pictures, number) for number in range(rounds)]
        pace, cpu = (estimate_median([ratios[index] for ratios in paces]) for index in range(2))
        memory = {count: _measure_memory(root, count) for count in (few, many)}
        found = _measure_risks(root, planted_of, planted, chosen_on, held_out=held_out)
    growth = memory[many] / memory[few]
    report_measurement(
        "audit",
        ("figure", "value"),
        [
            ("pace / offline batches", pace),
            ("the same of processor time", cpu),
            (f"MB after {few} pictures", memory[few]),
            (f"MB after {many} pictures", memory[many]),
            (f"recall of planted pictures, from a risk of {found.threshold:.4f}", found.recall),
            ("precision", found.precision),
            ("recall of all flagged pictures", found.plain_recall),
            ("precision of these", found.plain_precision),
        ],
        figures={
            "pace": pace,
            "pace_cpu": cpu,
            "pictures": pictures,
            "memory_mb": {str(count): mb for count, mb in memory.items()},
            "recall": found.recall.to_dict(),
            "precision": found.precision.to_dict(),
            "threshold": found.threshold,
            "recall_of_all_flagged": found.plain_recall.to_dict(),
            "precision_of_all_flagged": found.plain_precision.to_dict(),
            "chosen_on": chosen_on,
            "planted_of": planted_of,
            "planted": planted,
            "held_out": held_out,
        },
        bars=[
            Bar("pace / offline batches", pace.median, at_least=0.85),
            Bar(f"memory, {many} / {few} pictures", growth, at_most=1.1),
            Bar("recall of planted pictures", found.recall.share, at_least=0.97),
            Bar("precision of what is found", found.precision.share, at_least=LEAST_PRECISION),
        ],
        folder=record,
    )


def draw_pictures(folder: Path, count: int, seed: str, *, planted: float, held_out: bool = False) -> set[str]:
    """Draw pictures of the nano's world; returns the names of the risky ones, which are spread at random."""
    from safety_core.nano.corpus.contents import CONTENT_WEIGHTS, RISKY_CONTENTS, SAFE_CONTENTS, sample_row
    from safety_core.nano.corpus.scenes import sample_scene
    from safety_core.nano.world.drawing import draw

    folder.mkdir(parents=True)
    risky = set(Random(seed).sample(range(count), max(1, round(planted * count))))
    names: set[str] = set()
    for number in range(count):
        rng = Random(f"{seed}/{number}")
        content = sample_row(rng, RISKY_CONTENTS if number in risky else SAFE_CONTENTS, CONTENT_WEIGHTS)
        name = f"{number:07}.png"
        draw(sample_scene(rng, content, held_out=held_out).scene).save(folder / name)
        if number in risky:
            names.add(name)
    return names


def choose_threshold(risks: Risks, harmless: int, planted: float) -> float:
    """Choose the lowest risk whose precision would be at least 0.9 if a share of pictures were planted.

    Args:
        risks: flagged pictures.
        harmless: number of harmless pictures that were audited.
        planted: the share.
    """
    total = sum(is_planted for _, is_planted in risks)
    threshold, hits, false = 1.0, 0, 0
    for risk, equal in groupby(sorted(risks, reverse=True), key=lambda entry: entry[0]):
        new = [is_planted for _, is_planted in equal]
        hits, false = hits + sum(new), false + len(new) - sum(new)
        right = planted * hits / total
        wrong = (1 - planted) * (false + 0.5) / harmless  # half a picture more than seen: none seen is not none
        if right / (right + wrong) >= LEAST_PRECISION:
            threshold = risk
    return threshold


def _measure_pace(root: Path, count: int, number: int) -> tuple[float, float]:
    """Pictures of an audit in a second, and in one of processor time, relative to the best batches of these files."""
    folder = root / f"pace-{number}"
    draw_pictures(folder, count, f"pace/{number}", planted=0.1)
    audit, batches = run_audit(folder, root / "out"), run_batches(folder, BATCHES)
    shutil.rmtree(folder)
    shutil.rmtree(root / "out")
    pace, cpu = (float(min(batches[name].values()) / audit[name]) for name in ("seconds", "cpu_s"))
    return pace, cpu


def _measure_memory(root: Path, count: int) -> float:
    """Highest resident memory in the last half of an audit, in MB. After a thousand, pictures have only new names."""
    folder = root / "memory"
    draw_pictures(folder, min(count, 1000), "memory", planted=0.05)
    drawn = sorted(folder.iterdir())
    for number in range(len(drawn), count):
        (folder / f"{number:07}.png").hardlink_to(drawn[number % len(drawn)])
    rss_mb = run_audit(folder, root / "out")["rss_mb"]
    shutil.rmtree(folder)
    shutil.rmtree(root / "out")
    return float(statistics.median(sorted(rss_mb[len(rss_mb) // 2 :])[-3:]))


def _measure_risks(root: Path, count: int, planted: float, chosen_on: int, *, held_out: bool) -> FoundRisks:
    others, _ = _audit_planted(root, chosen_on, 0.1, "chosen", held_out=held_out)
    threshold = choose_threshold(others, chosen_on - round(0.1 * chosen_on), planted)
    flagged, total = _audit_planted(root, count, planted, "planted", held_out=held_out)
    taken = [is_planted for risk, is_planted in flagged if risk >= threshold]
    everything = [is_planted for _, is_planted in flagged]
    return FoundRisks(
        threshold=threshold,
        recall=estimate_share(sum(taken), total),
        precision=estimate_share(sum(taken), max(1, len(taken))),
        plain_recall=estimate_share(sum(everything), total),
        plain_precision=estimate_share(sum(everything), max(1, len(everything))),
    )


def _audit_planted(root: Path, count: int, planted: float, seed: str, *, held_out: bool) -> tuple[Risks, int]:
    """Audit pictures with planted risks; returns the flagged ones, and the number of planted ones."""
    folder, out = root / seed, root / "out"
    risky = draw_pictures(folder, count, seed, planted=planted, held_out=held_out)
    run_audit(folder, out)
    entries = [json.loads(line) for line in (out / "filter.jsonl").read_text(encoding="utf-8").splitlines()]
    shutil.rmtree(folder)
    shutil.rmtree(out)
    flagged = [(entry["unsafe"], entry["id"] in risky) for entry in entries if entry["reason"] in _FLAGGED]
    return flagged, len(risky)
