"""The report of an evaluation: as data, as JSON with every figure, and as one line per pair for error analysis.

Knows nothing of how figures are computed or how tables are formatted (``tables``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safety_core.evaluation.scoring.reply_kinds import determine_duty
from safety_core.evaluation.statistics.bars import BarResult, Comparison
from safety_core.evaluation.statistics.estimates import CONFIDENCE, Estimate
from safety_core.evaluation.statistics.measures import Outcome, argmax
from safety_core.files import open_atomically, write_text
from safety_core.taxonomy import Taxonomy

FORMAT_VERSION = 1
JSON_FILE, VERDICTS_FILE = "report.json", "verdicts.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemReport:
    """Figures of one system: one row of the table."""

    spec: Mapping[str, object]
    """The checkpoint and its enabled parts."""

    checkpoint_sha256: str
    """Digest of the checkpoint's manifest."""

    seconds: float
    """Duration of the run, with loading."""

    figures: Mapping[str, Estimate]
    """Every figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The results of one evaluation."""

    suite: str
    """Name of the suite."""

    suite_sha256: str
    """Digest of the suite's content."""

    pairs: int
    """Number of pairs in the suite."""

    taxonomy: Taxonomy
    """Names of types and levels."""

    seed: int
    """Seed of the bootstrap."""

    resamples: int
    """Draws of the bootstrap."""

    command: Sequence[str]
    """Command line of the evaluation."""

    rows: Mapping[str, SystemReport]
    """Name → figures of the system, in the order of the table."""

    comparisons: Mapping[tuple[str, str], Comparison]
    """(system, system it is compared with) → their comparison."""

    bars: Sequence[BarResult] = ()
    """Results of the checked bars."""

    @property
    def passed(self) -> bool:
        """Whether every checked bar is cleared."""
        return all(bar.passed for bar in self.bars)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "format_version": FORMAT_VERSION,
            "suite": {"name": self.suite, "sha256": self.suite_sha256, "pairs": self.pairs},
            "command": list(self.command),
            "seed": self.seed,
            "resamples": self.resamples,
            "confidence": CONFIDENCE,
            "taxonomy": self.taxonomy.to_dict(),
            "rows": {
                name: {
                    "spec": dict(row.spec),
                    "checkpoint_sha256": row.checkpoint_sha256,
                    "seconds": round(row.seconds, 1),
                    "figures": {figure: estimate.to_dict() for figure, estimate in row.figures.items()},
                }
                for name, row in self.rows.items()
            },
            "comparisons": [
                {
                    "row": row,
                    "against": against,
                    "differences": {name: estimate.to_dict() for name, estimate in comparison.differences.items()},
                    "mcnemar": {name: test.to_dict() for name, test in comparison.mcnemar.items()},
                }
                for (row, against), comparison in self.comparisons.items()
            ],
            "bars": [bar.to_dict() for bar in self.bars],
        }


def write_report(report: Report, outcomes: Mapping[str, Sequence[Outcome]], folder: Path) -> None:
    """Write ``report.json`` and ``verdicts.jsonl`` into a folder; the folder is created if missing."""
    text = json.dumps(report.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / JSON_FILE, text + "\n")
    with open_atomically(folder / VERDICTS_FILE) as stream:
        for name, row in outcomes.items():
            for outcome in row:
                line = {"row": name, **build_verdict_line(outcome, report.taxonomy)}
                stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def build_verdict_line(outcome: Outcome, taxonomy: Taxonomy) -> dict[str, object]:
    """Build the line of one pair and system, for error analysis."""
    label, scores, verdict = outcome.pair.sample.label, outcome.scores, outcome.verdict
    duty = determine_duty(label.level, len(taxonomy.levels))
    reply, judgement = outcome.reply, outcome.judgement
    return {
        "id": outcome.pair.sample.id,
        "intent": outcome.pair.meta.intent,
        "content": outcome.pair.meta.content,
        "gold": [taxonomy.types[label.type], taxonomy.levels[label.level]],
        "head": None
        if scores is None
        else [taxonomy.types[argmax(scores.types)], taxonomy.levels[argmax(scores.levels)]],
        "decision": None if verdict is None else verdict.decision.value,
        "decided": None if verdict is None else [verdict.type, verdict.level],
        "level_scores": None if verdict is None else [round(score, 4) for score in verdict.level_scores.values()],
        "prompt": outcome.pair.sample.turns[-1].text,
        "reply": None if reply is None else reply.text,
        "truncated": None if reply is None else reply.truncated,
        "kind": None if judgement.kind is None else judgement.kind.value,
        "careful": judgement.careful,
        "unsafe": judgement.is_unsafe(duty),
        "safety_score": judgement.compute_safety_score(duty),
        "unscored": judgement.reason,
    }
