"""Reloads files that operators change while the server runs; a broken version leaves the last valid one in force.

If a file is deleted or unreadable and its last content must not stay in force (API keys, for example), the owner can
define fallback content.
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
from safety_core.files import describe_read_error, require_plain

_logger = logging.getLogger(__name__)

_Content = TypeVar("_Content")


class UnreadableFileError(ConfigError):
    """A file does not exist or cannot be read."""


class FileStatus(Protocol):
    """Status of a file that can become unusable while the server runs."""

    @property
    def name(self) -> str:
        """Name of the file in logs, metrics and readiness."""

    @property
    def failure(self) -> str | None:
        """Why the file cannot be used; None if it can."""


class ReloadedFile(Generic[_Content]):
    """The content of the last valid version of a file.

    Args:
        name: name of the file in logs and readiness.
        files: the files that contain it; checked for changes.
        read: reads them; raises UnreadableFileError if they cannot be read, another SafeVLMError if they are broken.
        create_fallback: creates the content in force while they cannot be read; the last valid version stays if None.
        blank_is_broken: whether a blank version counts as broken, because it is being written or was lost.

    Raises:
        SafeVLMError: the first version is broken.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        read: Callable[[], _Content],
        *,
        create_fallback: Callable[[], _Content] | None = None,
        blank_is_broken: bool = False,
    ) -> None:
        self._name = name
        self._files = tuple(files)
        self._read = read
        self._create_fallback = create_fallback
        self._blank_is_broken = blank_is_broken
        self._listeners: list[Callable[[_Content], None]] = []
        self._versions = self._read_versions()
        self.content = read()
        """The content in force."""
        self.failure: str | None = None
        """Why the newest version is not in force; None if it is."""
        self.failure_summary: str | None = None
        """A summary of ``failure`` that does not quote the file."""

    @property
    def name(self) -> str:
        """Name of the file in logs and readiness."""
        return self._name

    def add_listener(self, listener: Callable[[_Content], None]) -> None:
        """Register a function that is called in the event loop with every new content."""
        self._listeners.append(listener)

    async def check(self) -> None:
        """Read the file again if it has changed or had a failure."""
        versions = await asyncio.to_thread(self._read_versions)
        if versions == self._versions and self.failure is None:
            return
        self._versions = versions
        try:
            content = await asyncio.to_thread(self._read_checked)
        except UnreadableFileError as exc:
            if self._create_fallback is None:
                self._report_failure(str(exc), "The file cannot be read; the previous version stays in force.")
                return
            self._report_failure(str(exc), "The file cannot be read; none of its entries is valid.")
            self._put_in_force(self._create_fallback())
            return
        except Exception as exc:  # of any kind: the watcher must keep running
            problem = str(exc) if isinstance(exc, SafeVLMError) else describe(exc)
            self._report_failure(problem, "The newest version is invalid; the previous one stays in force.")
            return
        self.failure = self.failure_summary = None
        self._put_in_force(content)

    def _read_checked(self) -> _Content:
        try:
            for file in filter(Path.exists, self._files):
                require_plain(file)
        except OSError as exc:
            raise UnreadableFileError(f"{self._name}: a file {describe_read_error(exc)}") from exc
        if self._blank_is_broken and not any(file.read_bytes().strip() for file in self._files if file.exists()):
            raise ConfigError(f"{self._name}: the file is empty")
        return self._read()

    def _report_failure(self, failure: str, summary: str) -> None:
        if failure != self.failure:
            _logger.error("%s: %s (%s)", self._name, summary, failure)
        self.failure, self.failure_summary = failure, summary

    def _put_in_force(self, content: _Content) -> None:
        if content != self.content:
            self.content = content
            for listener in self._listeners:
                listener(content)
            _logger.info("%s: reloaded", self._name)

    async def watch(self, interval_s: float) -> None:
        """Check at intervals, until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            await self.check()

    def _read_versions(self) -> tuple[tuple[int, ...] | None, ...]:
        """Read metadata that changes when a file is written, replaced, swapped behind a link, or made readable."""
        versions: list[tuple[int, ...] | None] = []
        for file in self._files:
            try:
                status = os.stat(file)
            except OSError:
                versions.append(None)
            else:
                versions.append((status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size))
        return tuple(versions)


@asynccontextmanager
async def run_in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a coroutine in the background, and cancel it at the end of the context."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
