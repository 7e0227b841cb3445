"""The baselines of the evaluation on real words as systems of public benchmarks: TF-IDF, MiniLM, a zero-shot judge.

They are trained on the texts that ``safevlm-small`` is trained on, and flag 2 % and refuse 1 % of the harmless texts of
the calibration split. They see the words of an item, and the lettering of its pictures where a reader is installed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.run_files import DecisionName, SystemInfo
from safety_core.evaluation.benchmarks.suites.items import Item as BenchmarkItem
from safety_core.evaluation.benchmarks.suites.pictures import Picture
from safety_core.evaluation.benchmarks.systems.baselines.registered import BaselineRequest
from safety_core.evaluation.benchmarks.systems.system import Result
from safety_core.policy.policy import Decision
from safety_core.small.corpus.loading import PAIRS_FILE, Corpus, load_records
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.systems.rows import Row
from safety_core.small.evaluation.systems.system import System
from safety_core.small.evaluation.systems.workbench import Workbench, hash_manifest

_DECISIONS: Mapping[Decision, DecisionName] = {
    Decision.ALLOWED: "allowed",
    Decision.CAUTIONED: "cautioned",
    Decision.REFUSED: "refused",
}


class BaselineSystem:
    """A system of the evaluation on real words, asked one item of a benchmark at a time.

    Args:
        system: the system.
        info: its name and origin.
        links: folder for links to the pictures, under names that tell their content: lettering that was read is kept
            by the name of the picture's file.
    """

    policy: Mapping[str, Any] | None = None

    def __init__(self, system: System, info: SystemInfo, *, links: Path) -> None:
        self._system = system
        self._links = links
        self.info = info

    def answer(self, item: BenchmarkItem) -> Result:
        """Judge an item; of several pictures, the first one is read."""
        picture = link_picture(item.pictures[0], self._links) if item.pictures else None
        (score,) = self._system.score([convert_item(item, picture)])
        if score.decision is None:
            return Result(error=score.problem)
        risk = None if score.risk is None else min(1.0, max(0.0, score.risk))
        return Result(decision=_DECISIONS[score.decision], risk=risk, seconds=score.seconds)


def load_baseline(request: BaselineRequest) -> BaselineSystem:
    """Train a classifier, or load the judge; the loader of ``systems.baselines.registered``.

    Raises:
        ConfigError: a package or the checkpoint is missing.
        InputError: the corpus contains none of its sets.
        SampleError: a line of a set is malformed.
        CheckpointError: the checkpoint is damaged.
    """
    assert request.corpus is not None, "checked before"
    if request.name == "judge" and request.checkpoint is None:
        raise ConfigError("--checkpoint: the zero-shot judge needs the checkpoint whose backbone it asks")
    corpus = load_records(request.corpus, cache=request.build / PAIRS_FILE.name)
    bench = Workbench(corpus, request.build, device=request.device, judge_share=1.0)
    checkpoint = request.checkpoint if request.name == "judge" else None
    row = Row(
        name=request.name,
        kind="judge" if request.name == "judge" else "text",
        content=request.name,
        checkpoint=checkpoint,
    )
    digest = _compute_digest(corpus, checkpoint)
    info = SystemInfo(name=request.name, kind="baseline", digest=digest)
    return BaselineSystem(bench.load(row), info, links=request.build / "pictures-by-digest")


def convert_item(item: BenchmarkItem, picture: Path | None) -> Item:
    """Convert an item of a benchmark, whose picture may show lettering."""
    return Item(
        id=item.id,
        columns=(),
        label=(item.type, item.level),
        group=item.group,
        prompt=item.prompt or "",
        earlier=item.turns[:-1],
        picture=picture,
        lettered=picture is not None,
    )


def link_picture(picture: Picture, folder: Path) -> Path:
    """Link to a picture by its digest."""
    link = folder / picture.sha256
    if not link.exists():
        folder.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)  # a link whose target was moved
        link.symlink_to(picture.path.resolve())
    return link


def _compute_digest(corpus: Corpus, checkpoint: Path | None) -> str:
    """Compute the digest of what the baseline is made of: the ids, splits and labels of the corpus, the checkpoint."""
    facts: Sequence[str] = sorted(f"{one.id}\t{one.split}\t{one.label}" for one in corpus.records)
    manifest = "" if checkpoint is None else hash_manifest(checkpoint)
    return hashlib.sha256("\n".join([manifest, *facts]).encode()).hexdigest()
