"""The folder of a run: locked while something writes into it, and only ever about one suite and one system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.run_files import RUN_FILE, RunInfo, read_run, write_run

LOCK_FILE = ".lock"


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a folder, which is created if it is missing; raises ConfigError if another process writes into it.

    The system releases the lock of a process that was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"{folder}: another process writes into this folder") from None
    try:
        yield
    finally:
        lock.release()


def open_run(folder: Path, run: RunInfo, *, must_answer: bool) -> RunInfo:
    """Begin a run, or resume the one in a folder.

    Args:
        folder: the folder, which is locked.
        run: what is to be run.
        must_answer: whether items are still to be answered, so that all conditions must be the same.

    Returns:
        The content of ``run.json``: that of the first start.

    Raises:
        ConfigError: the folder contains another run, or a part of this one was made under other conditions.
    """
    if not (folder / RUN_FILE).exists():
        write_run(folder, run)
        return run
    found = read_run(folder)
    differences = list(_list_differences(found, run, must_answer=must_answer))
    if differences:
        raise ConfigError(
            f"{folder}: the folder contains a run with another {', '.join(differences)}; name another folder with "
            "--out, or delete this one"
        )
    return found


def _list_differences(found: RunInfo, wanted: RunInfo, *, must_answer: bool) -> Iterator[str]:
    """List what differs: suite and system always count, the rest only for items that are still to be answered."""
    if found.suite.name != wanted.suite.name or found.suite.digest != wanted.suite.digest:
        yield "suite"
    if found.system != wanted.system:
        yield "system"
    if found.taxonomy != wanted.taxonomy:
        yield "taxonomy"
    if not must_answer:
        return
    # By their JSON form: a policy in memory may hold numbers as keys.
    if found.model_dump_json(include={"policy"}) != wanted.model_dump_json(include={"policy"}):
        yield "policy"
    if found.settings != wanted.settings:
        yield "setting"
    if found.commit != wanted.commit:
        yield f"commit of the code ({found.commit})"
