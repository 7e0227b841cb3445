"""The guard without a server: decodes and judges pictures in fixed batches, in its own process.

The process reads one JSON object per line, ``{"pictures", "batch"}``: the number of pictures, and how many at a time.
It answers each with ``{"seconds", "cpu_s", "latencies_s"}``: the totals, and the latency of each batch.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load.workload import REFUSED, create_unique_picture
from bench.paths import CHECKPOINT, ROOT
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image


@dataclass(frozen=True, slots=True)
class Offline:
    """A handle of the process."""

    process: "subprocess.Popen[str]"

    def judge(self, pictures: int, batch: int) -> dict[str, Any]:
        """Decode and judge a number of pictures."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"pictures": pictures, "batch": batch}), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def run_offline(checkpoint: Path = CHECKPOINT) -> Iterator[Offline]:
    """Start the process, and terminate it at the end."""
    command = [sys.executable, "-m", "bench.contenders.offline", str(checkpoint)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield Offline(process)
    finally:
        process.terminate()
        process.wait(timeout=60)


def main() -> None:
    """Process requests until the input ends."""
    guard = load_guard(Path(sys.argv[1]), device="cpu", limits=GuardLimits(max_batch=1 << 20))
    name, prompt = REFUSED
    turns = (Turn(role="user", text=prompt),)
    for line in sys.stdin:
        asked = json.loads(line)
        files = [create_unique_picture(name) for _ in range(asked["pictures"])]
        latencies: list[float] = []
        begun, cpu = time.perf_counter(), time.process_time()
        for start in range(0, len(files), asked["batch"]):
            batch_begun = time.perf_counter()
            requests = [
                GuardRequest(images=(decode_image(data, fill=guard.info.pad_colour),), turns=turns)
                for data in files[start : start + asked["batch"]]
            ]
            guard.judge([guard.prepare(request) for request in requests])
            latencies.append(time.perf_counter() - batch_begun)
        seconds, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "cpu_s": cpu_s, "latencies_s": latencies}), flush=True)


if __name__ == "__main__":
    main()
