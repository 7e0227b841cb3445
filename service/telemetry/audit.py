"""Writes decisions to the audit log: nothing is answered before it is written.

Requests that finish together share a commit. If an entry cannot be written, its request is not answered, and no further
request is accepted until a check shows that the file can be written again. Without a file, nothing is written and no
request waits.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.audit_log.store import AuditLog
from safety_core.engine.exceptions import describe
from safety_core.engine.messages import GuardVerdict, Reply
from safety_core.errors import ConfigError
from service.errors import UnauditedError
from service.hot_reload import run_in_background
from service.settings import Settings
from service.telemetry.request_record import RequestRecord

_logger = logging.getLogger(__name__)

_DAY_S = 86400
_FORGET_EVERY_S = 600
"""Seconds between two looks for what is too old or too much."""


class AuditLogWriter:
    """Writes entries, in a thread of its own; for one event loop.

    Args:
        log: where to; None writes nothing.
        writer: one thread.
        checkpoint: name of what judges.
    """

    def __init__(self, log: AuditLog | None, writer: ThreadPoolExecutor, *, checkpoint: str) -> None:
        self._log = log
        self._writer = writer
        self._checkpoint = checkpoint
        self._waiting: list[tuple[Sequence[AuditEntry], asyncio.Future[None]]] = []
        self._at_work: asyncio.Task[None] | None = None
        self._complaint: str | None = None
        self._renewals = 0

    @property
    def name(self) -> str:
        """What it is, for metrics."""
        return "audit log"

    @property
    def complaint(self) -> str | None:
        """Why the last write failed; None if it succeeded, or if there is no audit log."""
        return self._complaint

    def require(self) -> None:
        """Raise UnauditedError while nothing can be written, because no decision could be answered."""
        if self._complaint is not None:
            raise UnauditedError("the audit log cannot be written")

    async def write_decision(self, record: RequestRecord, verdicts: Sequence[GuardVerdict]) -> None:
        """Write what was decided about a request, once however many of its replies ask for it.

        Raises:
            UnauditedError: it could not be written.
        """
        if self._log is None:
            return
        if record.audited is None:
            entries = [self._decision(record, item, verdict) for item, verdict in enumerate(verdicts)]
            record.audited = self._written(entries)
        await asyncio.shield(record.audited)

    async def write_reply(self, record: RequestRecord, item: int, reply: Reply) -> None:
        """Write how a reply of the model ended; raises UnauditedError."""
        if self._log is None or reply.content is None:
            return
        entry = _entry(
            EntryKind.REPLY,
            record,
            item,
            finish_reason=reply.finish_reason,
            harmful=reply.harmful,
            completion_tokens=reply.completion_tokens,
        )
        await asyncio.shield(self._written([entry]))

    async def watch(self, interval_s: float) -> None:
        """Check the file at intervals until cancelled: whether it still exists, and can be written again."""
        while self._log is not None:
            await asyncio.sleep(interval_s)
            await self.check()

    async def check(self) -> None:
        """Check the file once."""
        if self._log is None:
            return
        look = partial(self._log.check, by_writing=self._complaint is not None)
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, look)
        except Exception as exc:  # of whatever kind: it must not be the last look
            self._failed(exc)
        else:
            self._written_again()

    def _failed(self, exc: Exception) -> None:
        if self._complaint is None:
            _logger.error("audit log: the file cannot be written, so no request is answered: %s", describe(exc))
        self._complaint = describe(exc)

    def _written_again(self) -> None:
        if self._complaint is not None:
            _logger.info("audit log: the file can be written again")
        self._complaint = None
        if self._log is not None and self._log.renewals != self._renewals:
            self._renewals = self._log.renewals
            _logger.error("audit log: the file was removed, replaced or truncated; a new one was started in its place")

    async def keep_bounded(self) -> None:
        """Forget what is too old or too much, again and again, until cancelled."""
        while self._log is not None:
            try:
                dropped = await asyncio.get_running_loop().run_in_executor(self._writer, self._log.forget)
                if dropped:
                    _logger.info("audit log: %d old entries were forgotten", dropped)
            except (sqlite3.Error, ConfigError) as exc:
                _logger.error("audit log: old entries could not be forgotten: %s", describe(exc))
            await asyncio.sleep(_FORGET_EVERY_S)

    async def finish(self) -> None:
        """Wait until all that was begun is written."""
        if self._at_work is not None:
            await self._at_work

    def _written(self, entries: Sequence[AuditEntry]) -> asyncio.Future[None]:
        written = asyncio.get_running_loop().create_future()
        # Nobody may be left to hear of a failure: who asked may have gone.
        written.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._waiting.append((entries, written))
        if self._at_work is None or self._at_work.done():
            self._at_work = asyncio.create_task(self._write_all())
        return written

    async def _write_all(self) -> None:
        """Write until nobody waits: all that came while the disk was busy goes together."""
        log, loop = self._log, asyncio.get_running_loop()
        assert log is not None
        while self._waiting:
            batch, self._waiting = self._waiting, []
            entries = [entry for some, _ in batch for entry in some]
            failure: Exception | None = None
            try:
                await loop.run_in_executor(self._writer, log.append, entries)
            except Exception as exc:  # whatever it was, those who wait must hear of it
                _logger.error("audit log: %d entries could not be written: %s", len(entries), describe(exc))
                self._failed(exc)
                failure = UnauditedError("the audit log could not be written")
            else:
                self._written_again()
            for _, written in batch:
                if failure is None:
                    written.set_result(None)
                else:
                    written.set_exception(failure)

    def _decision(self, record: RequestRecord, item: int, found: GuardVerdict) -> AuditEntry:
        verdict, assessment = found.verdict, found.assessment
        return _entry(
            EntryKind.DECISION,
            record,
            item,
            checkpoint=self._checkpoint,
            decision=verdict.decision.value,
            reason=verdict.reason,
            type=None if assessment is None else assessment.type,
            level=None if assessment is None else assessment.level.index,
            unsafe_probability=verdict.unsafe_probability,
            type_scores=None if assessment is None else assessment.type_scores,
            level_scores=None if assessment is None else assessment.level_scores,
            others={name: other.decision.value for name, other in found.others.items()} or None,
            images=record.images or None,
            images_scanned=found.images_scanned,
        )


def _entry(kind: EntryKind, record: RequestRecord, item: int, **said: Any) -> AuditEntry:
    """An entry of some kind, with what every one says of its request."""
    return AuditEntry(
        kind=kind,
        request_id=record.id,
        endpoint=record.endpoint,
        item=item,
        key=record.key,
        policy=record.policy,
        policy_version=record.policy_version,
        caller_request_id=record.caller_id,
        traceparent=record.traceparent,
        **said,
    )


def check_audit_log(settings: Settings) -> None:
    """Open the audit log that the settings ask for once; raises ConfigError where it cannot be opened."""
    if settings.audit_log is None:
        return
    try:
        _opened(settings).close()
    except ConfigError as exc:
        raise ConfigError(f"SAFEVLM_AUDIT_LOG: {settings.audit_log} cannot be opened as an audit log") from exc


def _opened(settings: Settings) -> AuditLog:
    assert settings.audit_log is not None
    return AuditLog(
        settings.audit_log, max_age_s=settings.audit_log_days * _DAY_S, max_entries=settings.audit_log_entries
    )


@asynccontextmanager
async def open_audit_log(settings: Settings, *, checkpoint: str) -> AsyncIterator[AuditLogWriter]:
    """The writer that the settings ask for; what was begun is written before it ends.

    Raises:
        ConfigError: the file cannot be opened.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="audit") as thread:
        if settings.audit_log is None:
            yield AuditLogWriter(None, thread, checkpoint=checkpoint)
            return
        with _opened(settings) as log:
            writer = AuditLogWriter(log, thread, checkpoint=checkpoint)
            async with (
                run_in_background(writer.keep_bounded()),
                run_in_background(writer.watch(settings.reload_interval_s)),
            ):
                yield writer
            await writer.finish()
