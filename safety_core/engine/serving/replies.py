"""Runs replies on the model thread: adds waiting ones fairly, generates token by token, and delivers their updates.

Even after an exception, the updates of replies that were already removed are delivered. Knows no torch, no asyncio and
no verdicts.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from safety_core.engine.exceptions import describe, is_out_of_memory
from safety_core.engine.protocols import GenerationRequestLike, GeneratorLike, ReplySequenceLike, StepOutput
from safety_core.engine.serving.observer import Observer, record_safely
from safety_core.errors import DeadlineError, ExhaustedError, GenerationError, SafeVLMError

_logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class ReplyHandle:
    """A requested reply."""

    request: GenerationRequestLike
    """The generator's input."""

    deadline: float
    """Time at which the reader times out."""

    requested_at: float
    """Time of the request."""

    client: str = ""
    """Key of the client."""

    queue_s: float = 0.0
    """Seconds that the reply waited to be started."""

    sequence: ReplySequenceLike | None = None
    """The sequence of the reply, once it has been created."""

    cancelled: bool = False
    """Whether the reader has left."""


@dataclass(frozen=True, slots=True)
class ReplyUpdate:
    """New text of a reply, or its end."""

    handle: ReplyHandle
    """The reply."""

    text: str = ""
    """New text that is final."""

    sequence: ReplySequenceLike | None = None
    """The sequence, if the reply is complete."""

    failure: Exception | None = None
    """The error that the reply failed with."""


class ReplyRunner:
    """Runs the replies of one generator.

    Args:
        deliver: receives updates, in the model's thread, a few times a turn.
        observer: records the work.
        note_outcomes: receives results and errors, to detect that memory ran out.
        lock: guards the waiting replies.
        max_prefill: positions of prompts that are read in one turn; a longer prompt is read alone.
        clock: returns monotonic time in seconds.
    """

    def __init__(
        self,
        deliver: Callable[[Sequence[ReplyUpdate]], None],
        observer: Observer,
        note_outcomes: Callable[[Sequence[object]], None],
        lock: threading.Condition,
        *,
        max_prefill: int,
        clock: Callable[[], float],
    ) -> None:
        self._deliver = deliver
        self._observer = observer
        self._note_outcomes = note_outcomes
        self._lock = lock
        self._max_prefill = max_prefill
        self._clock = clock
        self._updates: list[ReplyUpdate] = []
        self._waiting: deque[ReplyHandle] = deque()
        self._running: dict[int, tuple[ReplyHandle, ReplySequenceLike]] = {}
        self._generator: GeneratorLike | None = None

    @property
    def waiting(self) -> int:
        """Number of replies that wait to be started."""
        with self._lock:
            return sum(not handle.cancelled for handle in self._waiting)

    @property
    def has_work(self) -> bool:
        """Whether replies run or wait; read it with the lock held."""
        return bool(self._running or self._waiting)

    def add(self, handle: ReplyHandle) -> None:
        """Add a reply that waits to be started; call this with the lock held."""
        self._waiting.append(handle)

    # --- the model's thread --------------------------------------------------------------------------------------

    def start(self, generator: GeneratorLike) -> None:
        """Use a new generator."""
        self._generator = generator

    def drop_cancelled(self) -> None:
        """Stop and remove replies whose reader has left or timed out."""
        now = self._clock()
        for key, (handle, sequence) in list(self._running.items()):
            if handle.cancelled or handle.deadline <= now:
                self._get_generator().drop(sequence)
                del self._running[key]
                self._updates.append(ReplyUpdate(handle, failure=DeadlineError("the reply took too long")))
        with self._lock:
            left = [handle for handle in self._waiting if handle.cancelled or handle.deadline <= now]
            for handle in left:
                self._waiting.remove(handle)
        self._updates += [
            ReplyUpdate(handle, failure=DeadlineError("no reply slot became free in time")) for handle in left
        ]
        self.flush()

    def admit(self) -> None:
        """Start replies while there is room, beginning with the clients with the fewest running replies."""
        generator = self._get_generator()
        joining: list[ReplySequenceLike] = []
        positions = 0
        while (handle := self._pick_next()) is not None:
            sequence = handle.sequence
            if sequence is None:
                try:
                    sequence = handle.sequence = generator.create_sequence(handle.request)
                except Exception as exc:
                    self._updates.append(ReplyUpdate(handle, failure=_convert_exception(exc)))
                    self._remove_waiting(handle)
                    continue
            positions += sequence.prompt_positions
            if joining and positions > self._max_prefill:
                break
            if not generator.fits([*joining, sequence]):
                break
            handle.queue_s = self._clock() - handle.requested_at
            self._running[id(sequence)] = handle, sequence
            self._remove_waiting(handle)
            joining.append(sequence)
        self.flush()
        if joining:
            prompts = sum(sequence.prompt_positions for sequence in joining)
            record_safely(lambda: self._observer.record_tokens("prompt", prompts))
            self._process(generator.admit(joining))

    def step(self) -> None:
        """Generate one token of every running reply."""
        generator = self._get_generator()
        running = generator.running
        if running:
            record_safely(lambda: self._observer.record_batch("generate", running))
            self._process(generator.step())

    def flush(self) -> None:
        """Deliver the updates so far."""
        updates, self._updates = self._updates, []
        if updates:
            self._deliver(updates)

    def fail_all(self, reason: Exception) -> None:
        """Fail all replies, and drop the generator with all its data."""
        with self._lock:
            handles = [*(handle for handle, _ in self._running.values()), *self._waiting]
            self._generator = None
            self._running.clear()
            self._waiting.clear()
        self._updates += [ReplyUpdate(handle, failure=reason) for handle in handles]
        self.flush()

    def release_memory(self) -> None:
        """Free memory that no running reply needs."""
        generator = self._generator
        if generator is not None:
            generator.release_memory()

    def _process(self, outputs: Sequence[StepOutput[ReplySequenceLike]]) -> None:
        """Deliver the output of a step."""
        for output in outputs:
            sequence = output.sequence
            entry = self._running.get(id(sequence))
            if entry is None:  # the reply has no reader any more
                continue
            failure, done = sequence.failure, sequence.done
            if output.text or done:
                complete = sequence if done and failure is None else None
                self._updates.append(ReplyUpdate(entry[0], output.text, complete, failure))
            if done:
                del self._running[id(sequence)]
        self.flush()
        failures = [output.sequence.failure for output in outputs]
        self._note_outcomes(failures)
        tokens = sum(failure is None for failure in failures)
        record_safely(lambda: self._observer.record_tokens("completion", tokens))

    def _pick_next(self) -> ReplyHandle | None:
        """Pick the reply to start next: the longest waiting reply of the clients with the fewest running replies."""
        with self._lock:
            if not self._waiting:
                return None
            running = Counter(handle.client for handle, _ in self._running.values())
            return min(self._waiting, key=lambda handle: running[handle.client])

    def _remove_waiting(self, handle: ReplyHandle) -> None:
        with self._lock:
            self._waiting.remove(handle)

    def _get_generator(self) -> GeneratorLike:
        assert self._generator is not None, "the worker has not started"
        return self._generator


def _convert_exception(exc: Exception) -> Exception:
    """Convert an exception to the error of a reply that could not be started."""
    if isinstance(exc, SafeVLMError):
        return exc
    if is_out_of_memory(exc):
        return ExhaustedError("there was not enough memory")
    _logger.error("a reply could not be started: %s", describe(exc))
    return GenerationError("the reply could not be generated")
