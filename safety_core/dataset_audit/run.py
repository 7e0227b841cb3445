"""Runs an audit from its source to its report; a killed one continues where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safety_core.dataset_audit.duplicates.index import INDEXED, group_duplicates
from safety_core.dataset_audit.guard_options import GuardOptions
from safety_core.dataset_audit.journal import AuditFolder, PartPlan
from safety_core.dataset_audit.part_judging import JudgingOptions, PartJudge, choose_batch
from safety_core.dataset_audit.part_table import build_table, create_schema
from safety_core.dataset_audit.ray_parts import judge_on_ray
from safety_core.dataset_audit.reporting.candidates import Candidates
from safety_core.dataset_audit.reporting.examples import ExampleMaker
from safety_core.dataset_audit.reporting.page import format_page
from safety_core.dataset_audit.reporting.summary import Summary
from safety_core.dataset_audit.results import write_results
from safety_core.dataset_audit.sources.item import clean_text
from safety_core.dataset_audit.sources.opening import open_source
from safety_core.dataset_audit.sources.source import Source
from safety_core.engine.guard import Guard
from safety_core.errors import ConfigError
from safety_core.files import write_text
from safety_core.policy.named_policies import ActivePolicy

if TYPE_CHECKING:
    import pyarrow as pa

REPORT_FILE, SUMMARY_FILE = "report.html", "summary.json"

Report = Callable[[str, int, int], None]
"""Receives a stage, the steps that are done, and all steps; 0 if nobody knows how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayOptions:
    """How parts are distributed."""

    address: str | None = None
    """Address of the cluster; None for that of this machine or, if there is none, a new one."""

    judges: int = 1
    """Processes that judge, each with one guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """What is audited, and how."""

    kind: str = "auto"
    """Format of the source."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Field → column, for tables."""

    part_items: int = 512
    """Items of a part: what a killed audit judges again at most."""

    judging: JudgingOptions
    examples: int = 4
    """Examples of each type and level on the page."""

    ray: RayOptions | None = None


def audit_dataset(
    path: Path,
    out: Path,
    guards: GuardOptions,
    options: AuditOptions,
    *,
    report: Report = lambda stage, done, total: None,
) -> Summary:
    """Judge every item of a source, and write the results; an audit that was begun in the folder is continued.

    Args:
        path: the source.
        out: folder for the results.
        guards: the checkpoint.
        options: what is audited, and how.
        report: receives the progress.

    Raises:
        ConfigError: the source cannot be audited, the folder holds another audit, or an extra is not installed.
        SafeVLMError: the checkpoint cannot be loaded.
    """
    create_schema()  # without the extra, nothing begins
    path, out = path.absolute(), out.absolute()  # other machines have other working directories
    folder = AuditFolder(out)
    with folder.lock():
        guard, policy = guards.load()
        taxonomy = guard.info.taxonomy
        options = replace(options, judging=choose_batch(options.judging, guard.info.device))
        source = open_source(path, taxonomy, folder.listing, kind=options.kind, columns=options.columns)
        folder.require_same(_describe(source, guard, policy, options))
        plans = folder.read_plan()
        if plans is None:
            plans = folder.write_plan(source.scan(), options.part_items)
        if not plans:
            raise ConfigError(f"{path}: there is nothing to judge")
        total = plans[-1].first + plans[-1].count
        waiting = plans[folder.count_complete() :]
        report("items", waiting[0].first if waiting else total, total)
        for plan, table in zip(waiting, _judge(source, waiting, guard, policy, guards, options), strict=True):
            folder.write_part(plan.number, table)
            report("items", plan.first + plan.count, total)
        summary, candidates = Summary(taxonomy), Candidates(options.examples)
        indexed = folder.stream_parts(len(plans), INDEXED)
        found = group_duplicates(indexed, total, out / "index") if options.judging.duplicates else nullcontext()
        with found as groups:
            write_results(folder.stream_parts(len(plans)), groups, out, summary, candidates)
        maker = ExampleMaker(source, guard, policy)
        examples = {
            cell: [maker.make_example(candidate) for candidate in chosen]
            for cell, chosen in candidates.choose().items()
        }
        title = clean_text(path.resolve().name)
        write_text(out / SUMMARY_FILE, json.dumps(summary.to_dict(), indent=1, ensure_ascii=False) + "\n")
        write_text(out / REPORT_FILE, format_page(title, guard.info.checkpoint, summary, examples))
    return summary


def _judge(
    source: Source,
    plans: Sequence[PartPlan],
    guard: Guard,
    policy: ActivePolicy | None,
    guards: GuardOptions,
    options: AuditOptions,
) -> Iterator[pa.Table]:
    """Yield the tables of parts, judged here or on a cluster."""
    if not plans:
        return
    if options.ray is not None:
        yield from judge_on_ray(
            source, plans, guards, options.judging, address=options.ray.address, judges=options.ray.judges
        )
        return
    judge = PartJudge(guard, policy, options.judging)
    for plan, judged in zip(plans, judge.judge_parts(source, plans), strict=True):
        yield build_table(judged, plan.first, guard.info.taxonomy)


def _describe(source: Source, guard: Guard, policy: ActivePolicy | None, options: AuditOptions) -> dict[str, Any]:
    """Describe what the verdicts depend on, to recognise the audit that is continued."""
    return {
        "source": {"kind": source.kind, "files": _hash_files(source.files)},
        "columns": dict(sorted(options.columns.items())),
        "checkpoint": guard.info.checkpoint,
        "guard": guard.fingerprint,
        "policy": guard.policy.digest if policy is None else policy.policy.digest,
        "part_items": options.part_items,
        "batch": options.judging.batch,
        "duplicates": options.judging.duplicates,
    }


def _hash_files(files: Sequence[Path]) -> str:
    """Hash names, sizes and times of the source's files, which tells whether they are the same as before."""
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "backslashreplace")).hexdigest()
