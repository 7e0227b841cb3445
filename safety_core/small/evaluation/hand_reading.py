"""Writes the replies of a run for reading by hand; the labels are compared with the rule judge afterwards."""

from pathlib import Path

from safety_core.evaluation.runs.cells import format_number, format_percent, format_table
from safety_core.evaluation.runs.registered import RunRequest
from safety_core.small.evaluation.replies.hand_labels import Agreement, write_table
from safety_core.small.evaluation.run import prepare_run
from safety_core.small.evaluation.systems.rows import BARE, SHIPPED, choose_rows


def write_replies(request: RunRequest, path: Path, *, count: int) -> dict[str, int]:
    """Write replies of the bare and of the guarded model to a CSV file; those of a finished run are used again.

    Args:
        request: as for the evaluation.
        path: the file; it holds requests of the public sets, so it must stay on this machine.
        count: maximum number of replies of each model.

    Returns:
        The number of replies of each row; requests that the guard refused have none.

    Raises:
        InputError: no folder of sets was named, or it holds none.
        CheckpointError: a checkpoint is damaged or untrained.
    """
    prepared = prepare_run(request)
    rows, _ = choose_rows(request.checkpoint, {}, (BARE, SHIPPED))
    replies = {row.name: prepared.runs.reply(row, prepared.asked) for row in rows}
    return write_table(path, prepared.asked, replies, count=count, seed=request.config.seed)


def format_agreement(agreements: dict[str, Agreement]) -> str:
    """Format how well the rule judge and a reader agree, as a Markdown table."""
    header = ["replies of", "read", "unsafe by hand, %", "unsafe by rule, %", "agreement, %", "Cohen's kappa"]
    lines = [
        [
            name,
            str(found.labelled),
            format_percent(found.unsafe_by_hand),
            format_percent(found.unsafe_by_rule),
            format_percent(found.agreement),
            format_number(found.kappa),
        ]
        for name, found in agreements.items()
    ]
    return format_table(header, lines)
