"""The folder of an audit: its description, the plan of its parts, the parts, and the journal of the complete ones.

A part is written under another name, flushed to the disk, renamed, and then entered in the journal, which only grows.
Whatever a killed process leaves is either complete and in the journal, or is written again (docs/adr/0065).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from safety_core.dataset_audit.part_table import import_arrow
from safety_core.dataset_audit.sources.item import Cursor
from safety_core.errors import ConfigError
from safety_core.files import open_atomically, write_text

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class PartPlan:
    """The items of one part."""

    number: int
    start: Cursor
    first: int
    """Number of the first item."""

    count: int


class AuditFolder:
    """The files of one audit.

    Args:
        path: the folder; created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts = path / "parts"
        self._journal = path / "journal.jsonl"

    @property
    def listing(self) -> Path:
        """The names in a folder of pictures and texts."""
        return self.path / "listing.jsonl"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder; raises ConfigError if another process holds it."""
        self._parts.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout as exc:
            raise ConfigError(f"{self.path}: another process is writing this audit") from exc

    def require_same(self, description: Mapping[str, Any]) -> None:
        """Write the description of the audit, or compare it with that of the audit that is resumed.

        Raises:
            ConfigError: the folder holds another audit.
        """
        file = self.path / "audit.json"
        wanted = {"format_version": FORMAT_VERSION, **description}
        if not file.exists():
            if self._journal.exists():
                raise ConfigError(f"{self.path}: audit.json is missing; write the audit to another folder")
            write_text(file, json.dumps(wanted, indent=1) + "\n")
            return
        found = json.loads(file.read_text(encoding="utf-8"))
        if different := sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key)):
            raise ConfigError(f"{self.path}: it holds another audit: {', '.join(different)} differ")

    # --- the plan ------------------------------------------------------------------------------------------------

    def read_plan(self) -> list[PartPlan] | None:
        """Read the parts; None if there is no plan yet."""
        file = self.path / "plan.jsonl"
        if not file.exists():
            return None
        plans: list[PartPlan] = []
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines()):
            start, count = json.loads(line)
            first = plans[-1].first + plans[-1].count if plans else 0
            plans.append(PartPlan(number, Cursor(*start), first, count))
        return plans

    def write_plan(self, cursors: Iterable[Cursor], part_items: int) -> list[PartPlan]:
        """Plan parts of ``part_items`` items each; returns them."""
        plans: list[PartPlan] = []
        count = 0
        start = Cursor()
        with open_atomically(self.path / "plan.jsonl") as stream:

            def end_part() -> None:
                plans.append(PartPlan(len(plans), start, plans[-1].first + plans[-1].count if plans else 0, count))
                stream.write(json.dumps([[start.file, start.offset, start.row], count]) + "\n")

            for cursor in cursors:
                if count == part_items:
                    end_part()
                    count = 0
                start = start if count else cursor
                count += 1
            if count:
                end_part()
        return plans

    # --- parts ---------------------------------------------------------------------------------------------------

    def count_complete(self) -> int:
        """Count the parts that are complete, and forget a last entry that was not written to its end.

        Raises:
            ConfigError: a part is missing or was changed.
        """
        if not self._journal.exists():
            return 0
        content = self._journal.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with self._journal.open("r+b") as stream:
                stream.truncate(len(whole))
                os.fsync(stream.fileno())
        entries = [json.loads(line) for line in whole.splitlines()]
        for number, entry in enumerate(entries):
            file = self._get_file(number)
            if entry["part"] != number or not file.exists() or _hash_file(file) != entry["sha256"]:
                raise ConfigError(f"{file}: the part is missing or was changed; write the audit to another folder")
        return len(entries)

    def write_part(self, number: int, table: pa.Table) -> None:
        """Store a part, and then enter it in the journal."""
        from pyarrow.parquet import write_table

        file = self._get_file(number)
        partial = file.with_suffix(".partial")
        write_table(table, partial, compression="zstd")
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        digest = _hash_file(partial)
        partial.replace(file)
        _flush_folder(self._parts)
        created = not self._journal.exists()
        with self._journal.open("ab") as stream:
            entry = {"part": number, "items": table.num_rows, "sha256": digest}
            stream.write((json.dumps(entry) + "\n").encode())
            stream.flush()
            os.fsync(stream.fileno())
        if created:
            _flush_folder(self.path)

    def stream_parts(self, count: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the tables of the first ``count`` parts, of some columns or all."""
        import_arrow()
        from pyarrow.parquet import ParquetFile

        for number in range(count):
            with ParquetFile(self._get_file(number)) as file:
                yield file.read(columns=None if columns is None else list(columns), use_threads=False)

    def _get_file(self, number: int) -> Path:
        return self._parts / f"part-{number:06}.parquet"


def _hash_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush_folder(folder: Path) -> None:
    """Make renamed and new files of a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
