"""Files that operators change while the server runs: reloaded when they change; a broken version leaves the last one.

For a file that cannot be read at all (deleted or unreadable), the owner can define what is in force without it, if its
last content must not stay in force, as with revoked keys.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from safety_core.engine.exceptions import describe
from safety_core.errors import ConfigError, SafeVLMError
from safety_core.files import require_plain, why_unreadable

_logger = logging.getLogger(__name__)

_Content = TypeVar("_Content")


class UnreadableFileError(ConfigError):
    """A file does not exist or cannot be read."""


class FileStatus(Protocol):
    """A file that can have a problem while the server runs."""

    @property
    def name(self) -> str:
        """Its name in logs, metrics and readiness."""

    @property
    def complaint(self) -> str | None:
        """What is wrong with it; None if nothing is."""


class ReloadedFile(Generic[_Content]):
    """The content of a file's last valid version.

    Args:
        name: its name in logs and readiness.
        files: the files that contain it; checked for changes.
        read: reads them; raises UnreadableFileError if they cannot be read, another SafeVLMError if they are broken.
        without: the content in force while they cannot be read; the last valid version if None.
        blank_is_broken: whether a blank version counts as broken: one that is being written, or was lost.

    Raises:
        SafeVLMError: the first version is broken.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        read: Callable[[], _Content],
        *,
        without: Callable[[], _Content] | None = None,
        blank_is_broken: bool = False,
    ) -> None:
        self._name = name
        self._files = tuple(files)
        self._read = read
        self._without = without
        self._blank_is_broken = blank_is_broken
        self._told: list[Callable[[_Content], None]] = []
        self._seen = self._marks()
        self.content = read()
        self.complaint: str | None = None
        """Why the newest version is not in force; None where it is."""
        self.detail: str | None = None
        """The same, without any of the file's content."""

    @property
    def name(self) -> str:
        """What it is."""
        return self._name

    def add_listener(self, told: Callable[[_Content], None]) -> None:
        """Have somebody told of every new content, in the event loop."""
        self._told.append(told)

    async def check(self) -> None:
        """Read it again if it changed or had a problem."""
        marks = await asyncio.to_thread(self._marks)
        if marks == self._seen and self.complaint is None:
            return
        self._seen = marks
        try:
            content = await asyncio.to_thread(self._read_sound)
        except UnreadableFileError as exc:
            if self._without is None:
                self._complain(str(exc), "The file cannot be read; the previous version stays in force.")
                return
            self._complain(str(exc), "The file cannot be read; none of its entries is valid.")
            self._put_in_force(self._without())
            return
        except Exception as exc:  # of whatever kind: it must not be the last time that the file is looked at
            problem = str(exc) if isinstance(exc, SafeVLMError) else describe(exc)
            self._complain(problem, "The newest version is invalid; the previous one stays in force.")
            return
        self.complaint = self.detail = None
        self._put_in_force(content)

    def _read_sound(self) -> _Content:
        try:
            for file in filter(Path.exists, self._files):
                require_plain(file)
        except OSError as exc:
            raise UnreadableFileError(f"{self._name}: a file {why_unreadable(exc)}") from exc
        if self._blank_is_broken and not any(file.read_bytes().strip() for file in self._files if file.exists()):
            raise ConfigError(f"{self._name}: the file is empty")
        return self._read()

    def _complain(self, complaint: str, detail: str) -> None:
        if complaint != self.complaint:
            _logger.error("%s: %s (%s)", self._name, detail, complaint)
        self.complaint, self.detail = complaint, detail

    def _put_in_force(self, content: _Content) -> None:
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
async def run_in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run something beside the context, and cancel it at its end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
