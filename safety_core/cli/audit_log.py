"""``safevlm audit-log``: ask the audit log, and export it."""

import csv
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from safety_core.cli.common import errors_as_exits

_FIELDS = (
    "time", "request_id", "kind", "item", "endpoint", "key", "policy", "decision", "type", "level",
    "unsafe_probability", "finish_reason",
)  # fmt: skip
"""What a line for people shows."""


class Form(StrEnum):
    """How entries are written."""

    TEXT = "text"
    JSONL = "jsonl"
    CSV = "csv"


def audit_log(
    path: Annotated[Path, typer.Argument(help="The file of SAFEVLM_AUDIT_LOG; a server may be writing it.")],
    since: Annotated[str | None, typer.Option(help="From this moment on, ISO 8601; UTC unless it says else.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this moment.")] = None,
    kind: Annotated[str | None, typer.Option(help="decision or reply.")] = None,
    request_id: Annotated[str | None, typer.Option(help="One request, by the X-Request-Id of its reply.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="chat, classify, completions, moderations, guardrail, playground.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Name of an API key.")] = None,
    policy: Annotated[str | None, typer.Option(help="Name of a policy.")] = None,
    decision: Annotated[str | None, typer.Option(help="allowed, cautioned or refused.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="A risk type.")] = None,
    image: Annotated[str | None, typer.Option(help="A picture, by the SHA-256 of its bytes.")] = None,
    limit: Annotated[int | None, typer.Option(help="The newest so many.", min=1)] = None,
    form: Annotated[
        Form, typer.Option("--format", help="text for people; jsonl and csv hold every field.")
    ] = Form.TEXT,
) -> None:
    """Print the entries of an audit log, the oldest first."""
    with errors_as_exits():
        from safety_core.audit_log.queries import AuditQuery, read_entries

        query = AuditQuery(
            since=_moment(since),
            until=_moment(until),
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
        _write(form, (entry.to_dict() for entry in read_entries(path, query)), sys.stdout)


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is no moment in ISO 8601") from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _write(form: Form, entries: Iterable[dict[str, Any]], out: TextIO) -> None:
    if form is Form.JSONL:
        for entry in entries:
            out.write(json.dumps(entry) + "\n")
        return
    if form is Form.CSV:
        from safety_core.audit_log.entries import FIELDS

        writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
        writer.writeheader()
        for entry in entries:
            writer.writerow({name: json.dumps(v) if isinstance(v, dict | list) else v for name, v in entry.items()})
        return
    for entry in entries:
        out.write(" ".join(_shown(name, entry[name]) for name in _FIELDS if name in entry) + "\n")


def _shown(name: str, value: Any) -> str:
    if name in ("time", "request_id", "kind", "endpoint", "decision"):
        return str(value)
    return f"{name}={value:.4f}" if isinstance(value, float) else f"{name}={value}"
