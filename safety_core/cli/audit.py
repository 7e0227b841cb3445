"""``safevlm audit``: judges every picture, text or pair of a data set, and reports the risk."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from safety_core.cli.common import DEFAULT_CHECKPOINT, READ_PICTURES, exit_on_error, find_checkpoint
from safety_core.cli.data.importing import parse_columns
from safety_core.cli.progress import show_progress


def audit(
    source: Annotated[Path, typer.Argument(help="Folder, JSONL, CSV, WebDataset (.tar) or Parquet file.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; a killed audit is continued in it.")],
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = DEFAULT_CHECKPOINT,
    policy: Annotated[Path | None, typer.Option(help="Policy file in YAML, as for SAFEVLM_POLICY.")] = None,
    kind: Annotated[str, typer.Option(help="auto, folder, jsonl, csv, webdataset or parquet.")] = "auto",
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NAME", help="Column of a field of a table, e.g. prompt=question; repeatable."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    quantize: Annotated[str, typer.Option(help="none, int8 or nf4.")] = "none",
    read_pictures: Annotated[str, READ_PICTURES] = "auto",
    workers: Annotated[
        int, typer.Option(help="Threads that decode and prepare items; 0: one for each core.", min=0)
    ] = 0,
    batch: Annotated[
        int, typer.Option(help="Pictures that are judged together; 0: 8 on a CPU, 32 on a GPU.", min=0)
    ] = 0,
    part_items: Annotated[
        int, typer.Option(help="Items of a part: what a killed audit judges again at most.", min=1)
    ] = 512,
    duplicates: Annotated[bool, typer.Option("--duplicates/--no-duplicates", help="Look for near-duplicates.")] = True,
    examples: Annotated[int, typer.Option(help="Examples of each type and level on the page.", min=0, max=100)] = 4,
    ray: Annotated[bool, typer.Option("--ray", help="Judge on the machines of a Ray cluster.")] = False,
    ray_address: Annotated[str | None, typer.Option(help="Address of the cluster; without it, a local one.")] = None,
    ray_judges: Annotated[int, typer.Option(help="Processes on the cluster, each with one guard.", min=1)] = 1,
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show a progress bar.")] = True,
) -> None:
    """Judge every picture, text or pair of a data set, and report the risk.

    Writes records.parquet, report.html, summary.json, a list to filter by (filter.jsonl and filter.csv, see safevlm
    data filter) and unreadable.jsonl. The same command continues a killed audit.
    """
    quantization: Any = quantize
    reading: Any = read_pictures
    threads = workers or os.cpu_count() or 1
    with exit_on_error(), show_progress(shown=progress) as advance:
        from safety_core.dataset_audit.guard_options import GuardOptions
        from safety_core.dataset_audit.part_judging import JudgingOptions
        from safety_core.dataset_audit.run import AuditOptions, RayOptions, audit_dataset

        summary = audit_dataset(
            source,
            out,
            GuardOptions(
                checkpoint=find_checkpoint(checkpoint).absolute(),
                policy=None if policy is None else policy.absolute(),
                device=device,
                quantize=quantization,
                read_pictures=reading,
                max_readings=threads,
            ),
            AuditOptions(
                kind=kind,
                columns=parse_columns(column or ()),
                part_items=part_items,
                judging=JudgingOptions(workers=threads, batch=batch, duplicates=duplicates),
                examples=examples,
                ray=RayOptions(address=ray_address, judges=ray_judges) if ray else None,
            ),
            report=advance,
        )
    flagged = summary.flagged
    typer.echo(
        f"{out}: {summary.items} items, {flagged.count} flagged "
        f"({flagged.value:.2%}, 95 % interval {flagged.low:.2%} to {flagged.high:.2%} of the judged items)"
    )
    for outcome, count in sorted(summary.outcomes.items()):
        if outcome != "judged":
            typer.echo(f"{outcome}: {count}")
    if summary.duplicate_groups:
        typer.echo(f"near-duplicates: {summary.duplicates} in {summary.duplicate_groups} groups")
