"""An audit in its own process, and the same pictures judged in fixed batches without one.

``python -m bench.contenders.audit_process audit CHECKPOINT FOLDER OUT`` audits a folder of pictures;
``… batches CHECKPOINT FOLDER SIZE…`` decodes and judges the same files in batches of each size, one after the other.
Both print one JSON object: ``seconds`` and ``cpu_s`` (processor time of all threads) without the start of the process
and the loading of the checkpoint; of batches by size, of an audit with ``rss_mb``, the resident memory after each part.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.paths import CHECKPOINT, ROOT


def run_audit(pictures: Path, out: Path, checkpoint: Path = CHECKPOINT) -> dict[str, Any]:
    """Audit a folder of pictures in a process of its own."""
    return _run("audit", checkpoint, pictures, out)


def run_batches(pictures: Path, sizes: Sequence[int], checkpoint: Path = CHECKPOINT) -> dict[str, Any]:
    """Decode and judge the pictures of a folder in batches of each size, in a process of its own."""
    return _run("batches", checkpoint, pictures, *sizes)


def _run(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.contenders.audit_process", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _audit(checkpoint: Path, pictures: Path, out: Path) -> dict[str, Any]:
    import os

    from safety_core.dataset_audit.guard_options import GuardOptions
    from safety_core.dataset_audit.part_judging import JudgingOptions
    from safety_core.dataset_audit.run import AuditOptions, audit_dataset

    process = psutil.Process()
    begun: list[tuple[float, float]] = []
    rss_mb: list[float] = []

    def note(stage: str, done: int, total: int) -> None:
        if not begun:
            begun.append((time.perf_counter(), time.process_time()))
        rss_mb.append(process.memory_info().rss / 2**20)

    judging = JudgingOptions(workers=os.cpu_count() or 1, duplicates=True)
    audit_dataset(pictures, out, GuardOptions(checkpoint=checkpoint), AuditOptions(judging=judging), report=note)
    (at, cpu_at), (now, cpu_now) = begun[0], (time.perf_counter(), time.process_time())
    rss_mb.append(process.memory_info().rss / 2**20)
    return {"seconds": now - at, "cpu_s": cpu_now - cpu_at, "rss_mb": rss_mb}


def _judge_batches(checkpoint: Path, pictures: Path, sizes: Sequence[int]) -> dict[str, Any]:
    from safety_core.engine.guard_info import GuardLimits
    from safety_core.engine.load import load_guard
    from safety_core.engine.messages import GuardRequest
    from safety_core.inputs.images.decoding import decode_image
    from safety_core.inputs.images.limits import ImageLimits

    guard = load_guard(checkpoint, limits=GuardLimits(max_batch=1 << 20), judge_only=True)
    limits = guard.info.limit_images(ImageLimits())
    files = sorted(pictures.iterdir())
    seconds: dict[int, float] = {}
    cpu_s: dict[int, float] = {}
    for size in (sizes[0], *sizes):  # the first pass is the warm-up
        begun, cpu_begun = time.perf_counter(), time.process_time()
        for start in range(0, len(files), size):
            images = [
                decode_image(file.read_bytes(), limits=limits, fill=guard.info.pad_colour)
                for file in files[start : start + size]
            ]
            guard.judge([guard.prepare(GuardRequest(images=(image,))) for image in images])
        seconds[size], cpu_s[size] = time.perf_counter() - begun, time.process_time() - cpu_begun
    return {"seconds": seconds, "cpu_s": cpu_s}


def main() -> None:
    """Do what the command line says, and print the figures."""
    command, checkpoint, pictures, *rest = sys.argv[1:]
    if command == "audit":
        measured = _audit(Path(checkpoint), Path(pictures), Path(rest[0]))
    else:
        measured = _judge_batches(Path(checkpoint), Path(pictures), [int(size) for size in rest])
    print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
