"""Writes decisions and replies to the audit log: nothing is answered before it is written.

Requests that finish together share a commit. If an entry cannot be written, its request is not answered, and no further
request is accepted until a check shows that the file can be written again. Without a file, nothing is written and no
request waits.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from safety_core.audit_log.entries import AuditEntry
from safety_core.audit_log.store import AuditLog
from safety_core.engine.exceptions import describe
from safety_core.engine.messages import GuardVerdict, Reply
from safety_core.errors import ConfigError
from service.errors import UnauditedError
from service.hot_reload import run_in_background
from service.settings import Settings
from service.telemetry.audit_entries import build_decision_entry, build_reply_entry, build_unguarded_entry
from service.telemetry.request_record import RequestRecord

_logger = logging.getLogger(__name__)

_DAY_S = 86400
_PRUNE_INTERVAL_S = 600
"""Interval in seconds at which old and excess entries are deleted."""


class AuditLogWriter:
    """Writes entries in a separate thread. Use from one event loop only.

    Args:
        log: the file; None writes nothing.
        executor: one thread.
        checkpoint: name of the checkpoint that judges.
    """

    def __init__(self, log: AuditLog | None, executor: Executor, *, checkpoint: str) -> None:
        self._log = log
        self._executor = executor
        self._checkpoint = checkpoint
        self._waiting: list[tuple[Sequence[AuditEntry], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        """Writes the waiting entries; None before the first one."""
        self._failure: str | None = None
        self._renewals = 0

    @property
    def name(self) -> str:
        """Name of the file in metrics."""
        return "audit log"

    @property
    def failure(self) -> str | None:
        """Why the last write failed; None if it succeeded, or if there is no audit log."""
        return self._failure

    def require(self) -> None:
        """Raise UnauditedError while nothing can be written, because no decision could be sent."""
        if self._failure is not None:
            raise UnauditedError("the audit log cannot be written")

    async def write_decision(self, record: RequestRecord, verdicts: Sequence[GuardVerdict]) -> None:
        """Write the decision about a request, once for all of its replies.

        Raises:
            UnauditedError: the entry could not be written.
        """
        if self._log is None:
            return
        if record.audited is None:
            entries = [
                build_decision_entry(record, item, verdict, checkpoint=self._checkpoint)
                for item, verdict in enumerate(verdicts)
            ]
            record.audited = self._queue(entries)
        await asyncio.shield(record.audited)

    async def write_reply(self, record: RequestRecord, item: int, reply: Reply) -> None:
        """Write the end of a reply; raises UnauditedError."""
        if self._log is not None and reply.content is not None:
            await asyncio.shield(self._queue([build_reply_entry(record, item, reply)]))

    async def write_unguarded(self, record: RequestRecord) -> None:
        """Write that a request is answered without the guard; raises UnauditedError."""
        if self._log is not None:
            await asyncio.shield(self._queue([build_unguarded_entry(record, checkpoint=self._checkpoint)]))

    async def watch(self, interval_s: float) -> None:
        """Check the file at intervals until cancelled: whether it still exists, and can be written again."""
        while self._log is not None:
            await asyncio.sleep(interval_s)
            await self.check()

    async def check(self) -> None:
        """Check the file once."""
        if self._log is None:
            return
        check = partial(self._log.check, by_writing=self._failure is not None)
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, check)
        except Exception as exc:  # of any kind: the watcher must keep running
            self._report_failure(exc)
        else:
            self._report_success()

    async def prune_periodically(self) -> None:
        """Delete old and excess entries at intervals, until cancelled."""
        while self._log is not None:
            try:
                deleted = await asyncio.get_running_loop().run_in_executor(self._executor, self._log.forget)
                if deleted:
                    _logger.info("audit log: %d old entries were deleted", deleted)
            except (sqlite3.Error, ConfigError) as exc:
                _logger.error("audit log: old entries could not be deleted: %s", describe(exc))
            await asyncio.sleep(_PRUNE_INTERVAL_S)

    async def finish(self) -> None:
        """Wait until all queued entries are written."""
        if self._task is not None:
            await self._task

    def _queue(self, entries: Sequence[AuditEntry]) -> asyncio.Future[None]:
        """Queue entries; the future is done once they are written."""
        written = asyncio.get_running_loop().create_future()
        # Marks a failure as seen, because the request may have been cancelled.
        written.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._waiting.append((entries, written))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_waiting(self._log))
        return written

    async def _write_waiting(self, log: AuditLog | None) -> None:
        """Write until no entry waits; entries that are queued during a write share the next commit."""
        assert log is not None
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            entries = [entry for queued, _ in batch for entry in queued]
            failure: Exception | None = None
            try:
                await loop.run_in_executor(self._executor, log.append, entries)
            except Exception as exc:  # of any kind: the waiting requests must fail with it
                _logger.error("audit log: %d entries could not be written: %s", len(entries), describe(exc))
                self._report_failure(exc)
                failure = UnauditedError("the audit log could not be written")
            else:
                self._report_success()
            for _, written in batch:
                if failure is None:
                    written.set_result(None)
                else:
                    written.set_exception(failure)

    def _report_failure(self, exc: Exception) -> None:
        if self._failure is None:
            _logger.error("audit log: the file cannot be written, so no request is answered: %s", describe(exc))
        self._failure = describe(exc)

    def _report_success(self) -> None:
        if self._failure is not None:
            _logger.info("audit log: the file can be written again")
        self._failure = None
        if self._log is not None and self._log.renewals != self._renewals:
            self._renewals = self._log.renewals
            _logger.error("audit log: the file was removed, replaced or truncated; a new one was started in its place")


def check_audit_log(settings: Settings) -> None:
    """Open the audit log of the settings once; raises ConfigError if it cannot be opened."""
    if settings.audit_log is None:
        return
    try:
        _open_store(settings).close()
    except ConfigError as exc:
        raise ConfigError(f"SAFEVLM_AUDIT_LOG: {settings.audit_log} cannot be opened as an audit log") from exc


def _open_store(settings: Settings) -> AuditLog:
    assert settings.audit_log is not None
    return AuditLog(
        settings.audit_log, max_age_s=settings.audit_log_days * _DAY_S, max_entries=settings.audit_log_entries
    )


@asynccontextmanager
async def open_audit_log(settings: Settings, *, checkpoint: str) -> AsyncIterator[AuditLogWriter]:
    """Open the audit log of the settings; all queued entries are written before the context ends.

    Raises:
        ConfigError: the file cannot be opened.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="audit") as executor:
        if settings.audit_log is None:
            yield AuditLogWriter(None, executor, checkpoint=checkpoint)
            return
        with _open_store(settings) as log:
            writer = AuditLogWriter(log, executor, checkpoint=checkpoint)
            async with (
                run_in_background(writer.prune_periodically()),
                run_in_background(writer.watch(settings.reload_interval_s)),
            ):
                yield writer
            await writer.finish()
