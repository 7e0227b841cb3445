"""``safevlm audit-log``: queries the audit log and exports its entries."""

import csv
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from safety_core.cli.common import exit_on_error

_TEXT_FIELDS = (
    "time", "request_id", "kind", "item", "endpoint", "key", "policy", "decision", "type", "level",
    "unsafe_probability", "finish_reason",
)  # fmt: skip
"""Fields that the text format shows."""


class OutputFormat(StrEnum):
    """Format of the printed entries."""

    TEXT = "text"
    JSONL = "jsonl"
    CSV = "csv"


def print_audit_log(
    path: Annotated[Path, typer.Argument(help="The file of SAFEVLM_AUDIT_LOG; a server may be writing to it.")],
    since: Annotated[
        str | None, typer.Option(help="Earliest time, inclusive, in ISO 8601; UTC unless it has an offset.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Latest time, exclusive, in ISO 8601.")] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of entry: decision, reply or unguarded.")] = None,
    request_id: Annotated[
        str | None, typer.Option(help="Identifier of a request: its X-Request-Id, or the caller's identifier.")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="Endpoint: chat, classify, completions, moderations, guardrail, playground_chat, playground or "
            "unguarded."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Name of an API key.")] = None,
    policy: Annotated[str | None, typer.Option(help="Name of a policy.")] = None,
    decision: Annotated[str | None, typer.Option(help="Decision: allowed, cautioned or refused.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="A risk type.")] = None,
    image: Annotated[str | None, typer.Option(help="SHA-256 of the bytes of an image.")] = None,
    limit: Annotated[int | None, typer.Option(help="Maximum number of entries; the newest are printed.", min=1)] = None,
    form: Annotated[
        OutputFormat, typer.Option("--format", help="Output format; jsonl and csv contain every field.")
    ] = OutputFormat.TEXT,
) -> None:
    """Print the entries of an audit log, the oldest first."""
    with exit_on_error():
        from safety_core.audit_log.queries import AuditQuery, read_entries

        query = AuditQuery(
            since=_parse_time(since),
            until=_parse_time(until),
            kind=kind,
            request_id=request_id,
            endpoint=endpoint,
            key=key,
            policy=policy,
            decision=decision,
            type=type_,
            image=image,
            limit=limit,
        )
        _print_entries(form, (entry.to_dict() for entry in read_entries(path, query)), sys.stdout)


def _parse_time(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is not a time in ISO 8601") from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _print_entries(form: OutputFormat, entries: Iterable[dict[str, Any]], out: TextIO) -> None:
    if form is OutputFormat.JSONL:
        for entry in entries:
            out.write(json.dumps(entry) + "\n")
        return
    if form is OutputFormat.CSV:
        from safety_core.audit_log.entries import FIELDS

        writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
        writer.writeheader()
        for entry in entries:
            writer.writerow({name: json.dumps(v) if isinstance(v, dict | list) else v for name, v in entry.items()})
        return
    for entry in entries:
        out.write(" ".join(_format_field(name, entry[name]) for name in _TEXT_FIELDS if name in entry) + "\n")


def _format_field(name: str, value: Any) -> str:
    if name in ("time", "request_id", "kind", "endpoint", "decision"):
        return str(value)
    return f"{name}={value:.4f}" if isinstance(value, float) else f"{name}={value}"
