"""Reads the pictures of requests with a reader, within bounds of time, size and number. Fails closed.

A picture is read as the model sees it: the decoded views, without their padding. Identical pictures are read once, also
if several requests contain them at the same time, and complete results are kept. Readers run in threads of their own,
a few at a time; a reader that does not return in time is no longer waited for.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from PIL import Image, ImageDraw, ImageFont

from safety_core.inputs.images.decoding import DecodedImage
from safety_core.inputs.text.normalisation import normalise
from safety_core.lettering.reading import Box, Lettering, LetteringReader, Line, Outcome, Problem, ReadingLimits
from safety_core.lettering.reading_order import order_by_columns

_SIGN, _SIGN_SIZE = "EXIT", (64, 48)
"""What the check of the reader reads, and its size in pixels."""

_Key = tuple[str, int]
"""Digest of an image's bytes, and the index of the view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewReading:
    """The result of reading one view of a picture."""

    outcome: Outcome
    """What was found."""

    lines: tuple[Line, ...] = ()
    """The lines in reading order, with boxes relative to the client's picture; empty unless the outcome is ``read``."""

    aspect: float = 1.0
    """Width of the picture divided by its height."""

    seconds: float = 0.0
    """Time of the reader in seconds."""

    kept: bool = False
    """Whether the result was kept from an earlier reading."""

    failure: str = ""
    """Why the lettering was not read completely, without any content."""

    @property
    def words(self) -> tuple[str, ...]:
        """The texts of all lines."""
        return tuple(line.text for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureReading:
    """The result of reading all views of one picture."""

    views: tuple[ViewReading, ...]
    """The views, without those whose lettering is that of another view."""

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of the views."""
        return max((view.outcome for view in self.views), key=tuple(Outcome).index)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all views."""
        return tuple(line for view in self.views for line in view.lines)

    @property
    def seconds(self) -> float:
        """Time of the reader in seconds."""
        return sum(view.seconds for view in self.views)

    @property
    def kept(self) -> bool:
        """Whether the result was kept from an earlier reading."""
        return all(view.kept for view in self.views)

    @property
    def failure(self) -> str:
        """Why the lettering was not read completely; empty if it was."""
        return next((view.failure for view in self.views if view.failure), "")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The bounds that the lettering exceeds."""
        return tuple(Problem(view.failure) for view in self.views if view.outcome is Outcome.INCOMPLETE)


@dataclass(slots=True, eq=False)
class _Task:
    """A view that is being read."""

    began: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    began_at: float = math.inf
    reading: ViewReading | None = None
    error: MemoryError | None = None


class BoundedReader:
    """Reads pictures with one reader; may be used from several threads.

    Args:
        reader: the reader.
        limits: the bounds.
        concurrent: maximum number of pictures that are read at the same time.
        kept: maximum number of results that are kept.
    """

    def __init__(
        self, reader: LetteringReader, limits: ReadingLimits | None = None, *, concurrent: int = 1, kept: int = 256
    ) -> None:
        self._reader = reader
        self._limits = ReadingLimits() if limits is None else limits
        self._concurrent = concurrent
        self._slots = threading.Semaphore(concurrent)
        self._max_kept = kept
        self._kept: OrderedDict[_Key, ViewReading] = OrderedDict()
        self._running: dict[_Key, _Task] = {}
        self._lock = threading.Lock()
        self._check: _Task | None = None

    @property
    def name(self) -> str:
        """Identifies the reader and its bounds."""
        return f"{self._reader!r} {self._limits!r}"

    @property
    def side(self) -> int:
        """Longest side in pixels of the pictures that are read."""
        return self._limits.side

    def read(self, images: Sequence[DecodedImage]) -> list[PictureReading]:
        """Read all views of some pictures.

        Returns:
            The result for each picture. A failure of the reader is a result, too.

        Raises:
            MemoryError: there was not enough memory.
            RuntimeError: no thread could be started.
        """
        deadline = time.monotonic() + self._limits.request_s
        distinct = {
            (image.sha256, view): (image, view) for image in images for view in range(len(image.views))
        }  # before anything waits, so that pictures are read at the same time
        tasks = {key: self._start(key, image, view, deadline) for key, (image, view) in distinct.items()}
        readings = {key: self._await(task, deadline) for key, task in tasks.items()}
        return [_merge_views([readings[image.sha256, view] for view in range(len(image.views))]) for image in images]

    def find_failure(self) -> str | None:
        """Read a drawn sign anew, beside the pictures of requests; describes what is wrong with the reader, or None.

        A reader that has taken twice the time of a picture in every slot counts as failed, because no picture is read
        any more.

        Raises:
            MemoryError: there was not enough memory.
            RuntimeError: no thread could be started.
        """
        late = time.monotonic() - 2 * self._limits.picture_s
        with self._lock:
            stuck = sum(task.began_at < late for task in self._running.values())
            running = self._check is not None and not self._check.ended.is_set()
            if stuck >= self._concurrent or running:
                return "the reader does not return"
            task = self._check = _Task(began_at=time.monotonic())
        task.began.set()
        try:
            threading.Thread(target=self._run_check, args=(task,), name="lettering-check", daemon=True).start()
        except BaseException:
            task.ended.set()
            raise
        reading = self._await(task, time.monotonic() + self._limits.picture_s)
        return None if reading.outcome.is_complete else f"the reader: {reading.outcome.value} ({reading.failure})"

    def _run_check(self, task: _Task) -> None:
        """Read the sign; in its own thread, without a slot, so that waiting pictures do not delay the check."""
        try:
            task.reading = self._read_content(draw_sign())
        except MemoryError as exc:
            task.error = exc
        finally:
            task.ended.set()

    def _start(self, key: _Key, image: DecodedImage, view: int, deadline: float) -> _Task:
        """Start to read a view, or join the task that reads it."""
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                task = _Task(reading=known)
                task.began.set()
                task.ended.set()
                return task
            if (running := self._running.get(key)) is not None:
                return running
            task = self._running[key] = _Task()
        thread = threading.Thread(
            target=self._run, args=(key, task, image, view, deadline), name="lettering", daemon=True
        )
        try:
            thread.start()
        except BaseException:
            self._finish(key, task)
            raise
        return task

    def _run(self, key: _Key, task: _Task, image: DecodedImage, view: int, deadline: float) -> None:
        """Read a view; in its own thread."""
        try:
            if self._slots.acquire(timeout=max(0.0, min(deadline - time.monotonic(), threading.TIMEOUT_MAX))):
                try:
                    task.began_at = time.monotonic()
                    task.began.set()
                    task.reading = self._read_view(image, view)
                finally:
                    self._slots.release()
        except MemoryError as exc:
            task.error = exc
        finally:
            self._finish(key, task)

    def _finish(self, key: _Key, task: _Task) -> None:
        """Keep the result of a task, and wake all who wait for it."""
        with self._lock:
            del self._running[key]
            if task.reading is not None and task.reading.outcome.is_complete:
                self._kept[key] = replace(task.reading, seconds=0.0, kept=True)
                while len(self._kept) > self._max_kept:
                    self._kept.popitem(last=False)
        task.began.set()
        task.ended.set()

    def _await(self, task: _Task, deadline: float) -> ViewReading:
        """Wait for a task until the deadline, and at most for the time of one picture."""
        if task.began.wait(_bound_wait(deadline)):
            task.ended.wait(_bound_wait(min(deadline, task.began_at + self._limits.picture_s)))
        if task.error is not None:
            raise task.error
        if task.reading is None:
            seconds = max(0.0, time.monotonic() - task.began_at)  # 0 if it never began
            return ViewReading(outcome=Outcome.INCOMPLETE, failure=Problem.TIME.value, seconds=seconds)
        return task.reading

    def _read_view(self, image: DecodedImage, index: int) -> ViewReading:
        return self._read_content(crop_content(image.views[index], image.width, image.height, side=self._limits.side))

    def _read_content(self, content: Image.Image) -> ViewReading:
        started = time.monotonic()
        try:
            lettering = _check_lettering(self._reader.read(content), self._limits)
        except MemoryError:
            raise
        except Exception as exc:  # of any kind: a reader is another's code
            seconds = time.monotonic() - started
            return ViewReading(outcome=Outcome.FAILED, failure=type(exc).__name__, seconds=seconds)
        aspect, seconds = content.width / content.height, time.monotonic() - started
        if lettering.problem is not None:
            return ViewReading(outcome=Outcome.INCOMPLETE, failure=lettering.problem.value, seconds=seconds)
        lines = tuple(line for row in order_by_columns(lettering.lines, aspect=aspect) for line in row)
        outcome = Outcome.READ if lines else Outcome.NONE
        return ViewReading(outcome=outcome, lines=lines, aspect=aspect, seconds=seconds)


def draw_sign() -> Image.Image:
    """Draw a sign that every reader can read."""
    picture = Image.new("RGB", _SIGN_SIZE, "white")
    middle = _SIGN_SIZE[0] / 2, _SIGN_SIZE[1] / 2
    ImageDraw.Draw(picture).text(middle, _SIGN, fill="black", font=ImageFont.load_default(24), anchor="mm")
    return picture


def crop_content(view: Image.Image, width: int, height: int, *, side: int) -> Image.Image:
    """Cut the client's picture out of a padded square, and reduce it to a longest side.

    Args:
        view: a square view.
        width: width of the client's picture in pixels.
        height: height of the client's picture in pixels.
        side: longest side of the result in pixels.
    """
    longest = max(width, height)
    across, down = (max(1, round(extent * view.width / longest)) for extent in (width, height))
    left, top = (view.width - across) // 2, (view.height - down) // 2
    content = view.crop((left, top, left + across, top + down))
    if max(across, down) <= side:
        return content
    size = (max(1, round(extent * side / max(across, down))) for extent in (across, down))
    return content.resize((next(size), next(size)), Image.Resampling.BICUBIC)


def _check_lettering(lettering: Lettering, limits: ReadingLimits) -> Lettering:
    """Check a reader's result, and normalise its texts.

    Raises:
        TypeError: the result is not lettering.
        ValueError: a number is not finite.
    """
    if not isinstance(lettering, Lettering):
        raise TypeError("a reader must return Lettering")
    if lettering.problem is not None:
        return Lettering(problem=lettering.problem)
    if len(lettering.lines) > limits.boxes:
        return Lettering(problem=Problem.BOXES)
    if sum(len(line.text) for line in lettering.lines) > limits.characters:
        return Lettering(problem=Problem.CHARACTERS)
    lines = (
        replace(line, text=" ".join(normalise(line.text).split()), box=_clamp_box(line.box)) for line in lettering.lines
    )
    return Lettering(lines=tuple(line for line in lines if line.text))


def _clamp_box(box: Box) -> Box:
    if not all(map(math.isfinite, box)):
        raise ValueError("a box must be finite")
    left, top, right, bottom = (min(1.0, max(0.0, share)) for share in box)
    return left, top, max(left, right), max(top, bottom)


def _merge_views(views: Sequence[ViewReading]) -> PictureReading:
    """Merge the views of a picture; the same lettering on black and on white counts once."""
    distinct = [view for index, view in enumerate(views) if all(view.words != other.words for other in views[:index])]
    failed = [view for view in views if not view.outcome.is_complete and view not in distinct]
    return PictureReading(views=(*distinct, *failed))


def _bound_wait(end: float) -> float:
    """Seconds until a time of ``time.monotonic``, for methods that wait."""
    return min(max(0.0, end - time.monotonic()), threading.TIMEOUT_MAX)
