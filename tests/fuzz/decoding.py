"""Decodes damaged files with ``decode_image``, one after the other, in a process of its own.

``python -m tests.fuzz.decoding SEED CASES MARK`` writes one JSON object per line: the progress, and at the end all
complaints. The file MARK holds the number of the current case; the parent process reads it after a crash. The parent
process also reads standard error, to which decoders must write nothing.
"""

import ctypes
import faulthandler
import gc
import hashlib
import json
import mmap
import re
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import DecodedImage, decode_image
from safety_core.inputs.images.limits import ImageLimits
from service.telemetry.logs import set_up_logging
from tests.fuzz.cases import Case, case

LIMITS = ImageLimits(max_bytes=200_000, max_pixels=2**20, max_side=256)
"""Small limits: thousands of cases per second, and a leak or a peak of memory is noticeable."""

MAX_PEAK_BYTES = 48 * 2**20
"""Largest memory of one case: a few copies of the picture at four bytes per pixel, and sixteen texts of a megabyte."""

MAX_GROWTH_BYTES = 8 * 2**20
"""Largest growth of the process after its first cases; a leak of one kilobyte per case exceeds it."""

CODES = {"image_empty", "image_format", "image_corrupt", "image_too_large", "image_animated", "image_aspect"}

_STEP = 1000
_HANGS_AFTER_S = 120
_AGAIN_EVERY = 10
_MAX_COMPLAINTS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one case."""

    picture: bool
    """Whether the file was decoded."""

    wrong: str | None = None
    """The fault that was found; None if there is none."""


def outcome(tried: Case, *, twice: bool = False) -> Outcome:
    """Decode a case; the result must be a picture within bounds, equal each time, or a documented refusal.

    Faults are returned, not raised, so that a run continues and reports all of them. Memory is checked in any case.
    """
    before = peak_bytes()
    found = _decoded(tried, twice)
    if peak_bytes() > before and peak_bytes() - resident_bytes() > MAX_PEAK_BYTES:
        found = Outcome(found.picture, "; ".join(filter(None, (found.wrong, "too much memory"))))
    return found


def _decoded(tried: Case, twice: bool) -> Outcome:
    picture = False
    try:
        decoded = decode_image(tried.data, limits=LIMITS)
        picture = True
        wrong = _wrong(decoded, tried.data)
        if twice and wrong is None and _pixels(decoded) != _pixels(decode_image(tried.data, limits=LIMITS)):
            wrong = "another picture the second time"
    except ImageError as exc:
        known = exc.code in CODES and exc.param == "image"
        wrong = "refused after it was taken" if picture else None if known else f"refused with the code {exc.code}"
    except BaseException as exc:  # also raised if the pixels of a decoded picture cannot be read
        wrong = f"{type(exc).__name__} escaped"
    return Outcome(picture, wrong)


def _pixels(decoded: DecodedImage) -> list[bytes]:
    return [view.tobytes() for view in decoded.views]


def _wrong(decoded: DecodedImage, data: bytes) -> str | None:
    sides = (decoded.width, decoded.height)
    if min(sides) < 1 or decoded.width * decoded.height > LIMITS.max_pixels:
        return "a size out of bounds"
    if max(sides) > LIMITS.max_aspect * min(sides):
        return "a shape out of bounds"
    if decoded.sha256 != hashlib.sha256(data).hexdigest():
        return "another digest"
    if len(decoded.views) not in (1, 2):
        return "too many views, or none"
    for view in decoded.views:
        if view.mode != "RGB" or view.width != view.height:
            return "a view that is no square of colours"
        if not LIMITS.min_side <= view.width <= LIMITS.max_side:
            return "a view out of bounds"
        if len(view.tobytes()) != 3 * view.width * view.height:
            return "a view without pixels"
    return None


@dataclass(slots=True)
class Run:
    """Progress of a run."""

    cases: int = 0
    """Number of files that were decoded or refused."""

    pictures: int = 0
    """Number of files that were decoded."""

    complaints: list[str] = field(default_factory=list)
    """Faults, each with the name of its case."""

    def line(self, **more: Any) -> str:
        """Format the progress as JSON."""
        return json.dumps({"cases": self.cases, "pictures": self.pictures, "complaints": self.complaints, **more})


def run(seed: int, cases: int, mark: mmap.mmap) -> None:
    """Decode the cases and print the progress."""
    done = Run()
    settled = 0
    for number in range(cases):
        struct.pack_into("<Q", mark, 0, number)
        tried = case(seed, number)
        found = outcome(tried, twice=number % _AGAIN_EVERY == 0)
        done.cases += 1
        done.pictures += found.picture
        if found.wrong is not None:
            done.complaints.append(f"{tried.name}, once {tried.origin}: {found.wrong}")
        if len(done.complaints) == _MAX_COMPLAINTS:
            break
        if done.cases % _STEP == 0:
            faulthandler.dump_traceback_later(_HANGS_AFTER_S, exit=True)
            settled = settled or resident_bytes()
            print(done.line(), flush=True)
    print(done.line(grown=resident_bytes() - settled if settled else 0), flush=True)


def resident_bytes() -> int:
    """Measure the memory of this process, without garbage and without free memory that the allocator keeps."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; other allocators keep little free memory
    if trim is not None:
        trim(0)
    return psutil.Process().memory_info().rss


def peak_bytes() -> int:
    """Read the peak memory of this process; 0 if the system does not report it.

    ``getrusage`` is unsuitable: after a fork and an exec, it still counts the memory of the parent process.
    """
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


def main() -> None:
    """Run with the arguments of the command line."""
    seed, cases, mark = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    faulthandler.enable()
    faulthandler.dump_traceback_later(_HANGS_AFTER_S, exit=True)
    set_up_logging("warning")
    with mark.open("r+b") as file, mmap.mmap(file.fileno(), 8) as marked:
        run(seed, cases, marked)


if __name__ == "__main__":
    main()
