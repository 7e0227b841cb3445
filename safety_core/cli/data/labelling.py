"""``safevlm data suggest`` and ``safevlm data confirm``: labels that a model proposes and a person confirms."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import DEFAULT_CHECKPOINT, exit_on_error, find_checkpoint, print_skipped
from safety_core.cli.progress import show_progress


def suggest(
    data: Annotated[Path, typer.Argument(help="JSONL file; records without safe_type and safe_level get a proposal.")],
    out: Annotated[Path, typer.Argument(help="CSV file to write; it shows texts, and must not exist.")],
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = DEFAULT_CHECKPOINT,
    limit: Annotated[int, typer.Option(help="Rows of the file: the most uncertain records.", min=1)] = 1000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="List and skip bad records instead of stopping.")
    ] = False,
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show a progress bar.")] = True,
) -> None:
    """Propose a type and a level for unlabelled records, most uncertain first, for a person to confirm.

    Uncertainty is the entropy of the head's scores, from 0 to 1. Write yes into the column confirmed of each row that
    is right, after correcting type and level where they are not; then run safevlm data confirm.
    """
    with exit_on_error(), show_progress(shown=progress) as advance:
        from safety_core.data.labelling.suggestions import suggest_labels
        from safety_core.evaluation.scoring.sample_scores import GuardScorer
        from safety_core.model.spec import read_spec

        folder = find_checkpoint(checkpoint)
        taxonomy = read_spec(folder).taxonomy
        scorer = GuardScorer.load(folder, device=device)
        result = suggest_labels(data, out, taxonomy, scorer.score, limit=limit, skip_bad=skip_bad, report=advance)
    print_skipped(result.skipped)
    typer.echo(f"{out}: {result.written} rows, of {result.unlabelled} records without a label")
    if result.labelled:
        typer.echo(f"{result.labelled} records have a label already")
    if result.without_verdict:
        typer.echo(f"{result.without_verdict} records got no verdict, and no proposal")


def confirm(
    data: Annotated[Path, typer.Argument(help="JSONL file that labels were proposed for.")],
    sheet: Annotated[Path, typer.Argument(help="CSV file of safevlm data suggest, with confirmed rows.")],
    out: Annotated[Path, typer.Argument(help="JSONL file to write.")],
    taxonomy: Annotated[Path | None, typer.Option(help="JSON file with a taxonomy instead of the default one.")] = None,
) -> None:
    """Merge confirmed labels into the records; records that nobody confirmed are left out and counted."""
    with exit_on_error():
        from safety_core.data.labelling.confirmation import confirm_labels
        from safety_core.taxonomy import read_taxonomy

        result = confirm_labels(data, sheet, out, read_taxonomy(taxonomy))
    typer.echo(f"{out}: {result.written} records, {result.confirmed} of them confirmed ({result.changed} changed)")
    typer.echo(f"{result.left_out} records without a confirmed label are left out")
    if result.unmatched:
        typer.echo(
            f"warning: {result.unmatched} confirmed rows belong to no record; {data} has changed since, or is another",
            err=True,
        )
