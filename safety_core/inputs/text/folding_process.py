"""Undoes disguises in the calling thread or in a separate process, with the same result.

Undoing the disguise of a long text takes up to half a second of pure Python. In a thread of a server it would hold the
interpreter lock, which the model's thread needs for each of hundreds of small operations: all requests in progress
would take many times as long.
"""

from __future__ import annotations

import json
import logging
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from safety_core.inputs.text.folding import FoldedText, FoldingState, fold_text
from safety_core.inputs.text.lexicon import Lexicon, load_english
from safety_core.inputs.text.plain_text import is_ordinary
from safety_core.inputs.text.reply_variants import build_reply_variants

_logger = logging.getLogger(__name__)

SHORT = 128
"""Characters up to which folding takes about ten milliseconds, too short to be worth another process."""

ANSWER_TIMEOUT_S = 60.0
"""Maximum wait for the process in seconds; the effort for a text is bounded, so only a hanging process takes longer."""

PAUSE_S = 30.0
"""Seconds for which no new process is started after two have failed on the same text."""

_MAX_STATES = 64
"""Number of requests whose state the process keeps."""

_NICENESS = 5
"""Niceness of the process: lower priority than the model, but high enough on a busy machine."""


class Folding(Protocol):
    """Undoes disguises, with one lexicon and one tokenizer's template."""

    def fold(self, text: str, state: FoldingState) -> FoldedText:
        """:func:`safety_core.inputs.text.folding.fold_text`."""

    def build_reply_variants(self, windows: Sequence[str]) -> list[tuple[str, ...]]:
        """:func:`safety_core.inputs.text.reply_variants.build_reply_variants` of each window."""


class LocalFolding:
    """Undoes disguises in the calling thread.

    Args:
        lexicon: creates the lexicon on first use.
        template: matches special tokens and role markers that a text spells.
    """

    def __init__(self, lexicon: Callable[[], Lexicon], template: re.Pattern[str]) -> None:
        self._lexicon = lexicon
        self._template = template

    def fold(self, text: str, state: FoldingState) -> FoldedText:
        """As of :class:`Folding`."""
        return fold_text(text, self._lexicon(), state)

    def build_reply_variants(self, windows: Sequence[str]) -> list[tuple[str, ...]]:
        """As of :class:`Folding`."""
        return [
            build_reply_variants(window, lambda text: self._template.sub(" ", text), self._lexicon())
            for window in windows
        ]

    def is_quick(self, text: str) -> bool:
        """Whether folding a text takes less time than sending it to another process."""
        return len(text) <= SHORT or is_ordinary(text, self._lexicon())


class FoldingProcess:
    """Undoes disguises of longer texts in a separate process, which is started for the first such text.

    A process that fails is replaced once. If the second process fails too, or no process can be started, texts are
    folded in the calling thread for ``PAUSE_S``.

    Args:
        words: words of the lexicon besides the English words.
        template: as of :class:`LocalFolding`.
        local: folds short texts, and all texts while there is no process.
    """

    def __init__(self, words: Sequence[str], template: re.Pattern[str], local: LocalFolding) -> None:
        self._setup = _encode_line({"words": list(words), "template": template.pattern})
        self._local = local
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0
        self._closed = False

    def fold(self, text: str, state: FoldingState) -> FoldedText:
        """As of :class:`Folding`."""
        if self._local.is_quick(text):
            return self._local.fold(text, state)
        answer = self._ask({"state": state.number, "text": text})
        if answer is None:
            return self._local.fold(text, state)
        return FoldedText(
            whole=tuple(answer["whole"]), sentences=tuple(answer["sentences"]), ordinary=bool(answer["ordinary"])
        )

    def build_reply_variants(self, windows: Sequence[str]) -> list[tuple[str, ...]]:
        """As of :class:`Folding`."""
        if all(map(self._local.is_quick, windows)) and sum(map(len, windows)) <= SHORT:
            return self._local.build_reply_variants(windows)
        answer = self._ask({"windows": list(windows)})
        return (
            self._local.build_reply_variants(windows)
            if answer is None
            else [tuple(variants) for variants in answer["variants"]]
        )

    def close(self) -> None:
        """End the process; later texts are folded in the calling thread."""
        self._closed = True
        process = self._process
        if process is not None:  # threads that wait for an answer get None and fold the text themselves
            process.kill()
        with self._lock:
            self._end()

    def _ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the process's answer; None if there is none."""
        line = _encode_line(message)
        with self._lock:
            for _ in range(2):
                if self._closed or time.monotonic() < self._not_before:
                    return None
                try:
                    answer: dict[str, Any] = json.loads(_send_and_receive(self._ensure_started(), line))
                except (OSError, ValueError) as exc:
                    self._end()
                    if not self._closed:
                        _logger.warning("the process that undoes disguises failed: %s", type(exc).__name__)
                    continue
                return None if answer.get("failed") else answer
            self._not_before = time.monotonic() + PAUSE_S
        return None

    def _ensure_started(self) -> subprocess.Popen[bytes]:
        """Return the process, started if there is none; raises OSError if that is impossible."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "safety_core.inputs.text.folding_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # the message of an error may contain part of the text
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
            )
            assert self._process.stdin is not None
            self._process.stdin.write(self._setup)
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # unsent data has no receiver
                    pipe.close()
        process.wait()


def _encode_line(message: dict[str, Any]) -> bytes:
    """Encode a message as one line of ASCII, which preserves lone surrogates."""
    return json.dumps(message).encode("ascii") + b"\n"


def _send_and_receive(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    """Send a line and read the answer; raises OSError if the process has ended or does not answer in time."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    received = bytearray()
    end = time.monotonic() + ANSWER_TIMEOUT_S
    descriptor = process.stdout.fileno()
    poll = select.poll()  # unlike select.select, it works with any file descriptor number
    poll.register(descriptor, select.POLLIN)
    while not received.endswith(b"\n"):
        if not poll.poll(1000 * max(0.0, end - time.monotonic())):
            raise TimeoutError("no answer")
        part = os.read(descriptor, 1 << 16)
        if not part:
            raise ConnectionError("the process has ended")
        received += part
    return bytes(received)


def main() -> None:
    """Run the process: answer each line with one line, until its input ends with the server."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole process group, but the server decides when this process ends
    with suppress(OSError):
        os.nice(_NICENESS)
    receive = iter(sys.stdin.buffer.readline, b"")
    setup = json.loads(next(receive, b"{}"))
    if not setup:
        return
    lexicon = load_english().extend(setup["words"])
    local = LocalFolding(lambda: lexicon, re.compile(setup["template"]))
    states: OrderedDict[int, FoldingState] = OrderedDict()
    for line in receive:
        try:
            answer = _answer(json.loads(line), local, states)
        except Exception:  # the server gets the same error when it folds the text, and handles it there
            answer = {"failed": True}
        sys.stdout.buffer.write(_encode_line(answer))
        sys.stdout.buffer.flush()


def _answer(message: dict[str, Any], local: LocalFolding, states: OrderedDict[int, FoldingState]) -> dict[str, Any]:
    if "windows" in message:
        return {"variants": local.build_reply_variants(message["windows"])}
    state = states.setdefault(message["state"], FoldingState())
    states.move_to_end(message["state"])
    if len(states) > _MAX_STATES:
        states.popitem(last=False)
    folded = local.fold(message["text"], state)
    return {"whole": folded.whole, "sentences": folded.sentences, "ordinary": folded.ordinary}


if __name__ == "__main__":
    main()
