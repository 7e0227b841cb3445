"""Processes that are killed at random points of their work, to see what they leave behind."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

_NEVER = (1 << 30, 1e9)


def run_and_kill(work: Callable[[], object], folder: Path, rng: Random | None) -> bool:
    """Run some work in a child process and kill it; returns whether it was killed before its end.

    In half of the cases the kill comes right before the process touches a random file of the folder (opens, renames,
    truncates or removes it), otherwise after a random time.

    Args:
        work: the work, which must not have started threads in this process.
        folder: the files in it count.
        rng: chooses when; None: the process is not killed.
    """
    touches, seconds = _NEVER
    if rng is not None:
        touches, seconds = (rng.randrange(1, 60), 60.0) if rng.random() < 0.5 else (1 << 30, rng.uniform(0.3, 2.5))
    child = os.fork()
    if not child:
        _work_until_killed(work, str(folder), touches)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
            return os.WIFSIGNALED(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _work_until_killed(work: Callable[[], object], folder: str, touches: int) -> None:
    """Do the work in the child process, which never returns."""
    left = touches

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in {"open", "os.rename", "os.remove", "os.truncate"} and str(arguments[0]).startswith(folder):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(count)
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)
