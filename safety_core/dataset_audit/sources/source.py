"""The interface of a source. Knows no file format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from safety_core.dataset_audit.sources.item import AuditItem, Cursor


class Source(Protocol):
    """Items in a fixed order. A source is a plain value, so that other processes can read it, too."""

    @property
    def kind(self) -> str:
        """Name of the format."""

    @property
    def files(self) -> Sequence[Path]:
        """The files that contain the items."""

    def scan(self) -> Iterator[Cursor]:
        """Yield the position of every item, without reading more than is needed.

        Raises:
            ConfigError: no item can be read in this way, e.g. because a column does not exist.
        """

    def stream(self, start: Cursor) -> Iterator[AuditItem]:
        """Yield the items from a position on; an item that cannot be read has a ``problem``, and reading continues."""
