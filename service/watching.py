"""Files that operators change while the server runs: read again when they change, and kept as they were when broken."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from safety_core.engine.faults import describe
from safety_core.errors import SafeVLMError

_logger = logging.getLogger(__name__)

_Content = TypeVar("_Content")


class WatchedFile(Generic[_Content]):
    """What a file says, as of its last sound version.

    Args:
        name: what it is, for logs and readiness.
        files: those that the content comes from; their change is what is watched for.
        read: reads them; raises SafeVLMError where they are broken.

    Raises:
        SafeVLMError: it is broken from the start.
    """

    def __init__(self, name: str, files: Sequence[Path], read: Callable[[], _Content]) -> None:
        self._name = name
        self._files = tuple(files)
        self._read = read
        self._told: list[Callable[[_Content], None]] = []
        self._seen = self._marks()
        self.content = read()
        self.complaint: str | None = None
        """Why the newest version is not in force; None where it is."""

    @property
    def name(self) -> str:
        """What it is."""
        return self._name

    def then(self, told: Callable[[_Content], None]) -> None:
        """Have somebody told of every new content, in the event loop."""
        self._told.append(told)

    async def check(self) -> None:
        """Read it again if it changed; a broken one leaves the old content in force, and says so."""
        marks = await asyncio.to_thread(self._marks)
        if marks == self._seen:
            return
        self._seen = marks
        try:
            content = await asyncio.to_thread(self._read)
        except Exception as exc:  # of whatever kind: it must not be the last time that the file is looked at
            self.complaint = str(exc) if isinstance(exc, SafeVLMError) else describe(exc)
            _logger.error("%s: the new version is broken, the old one stays in force: %s", self._name, self.complaint)
            return
        self.complaint = None
        if content != self.content:
            self.content = content
            for told in self._told:
                told(content)
            _logger.info("%s: read anew", self._name)

    async def watch(self, interval_s: float) -> None:
        """Check again and again, until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            await self.check()

    def _marks(self) -> tuple[tuple[int, ...] | None, ...]:
        """What changes when a file is written, replaced, swapped behind a link, or made readable."""
        marks: list[tuple[int, ...] | None] = []
        for file in self._files:
            try:
                found = os.stat(file)
            except OSError:
                marks.append(None)
            else:
                marks.append((found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size))
        return tuple(marks)


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run something beside the context, and cancel it at its end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
