"""The parts of a checkpoint without a server or an engine: what a figure of the server costs at least on this machine.

Runs in its own process, which reads one JSON object per line, ``{"part", "picture", "prompt", "tokens"}``: the name of
a part, the path of a picture, a question about it, and the number of tokens to generate. It answers each with
``{"seconds", "cpu_s"}``. The parts are

    verdict   decoding, reader of lettering, vision tower, safety projector, the language model's first layers over the
              question, the head once
    first     the verdict, and one pass of the language model over picture and question
    tokens    steps of transformers' own modules, one token each, after a pass that is not counted
    load      loading the checkpoint, its reader and the packages that they need, in a new process
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from bench.contenders.reference import Decoder
from bench.paths import ROOT
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.lettering.readers import create_reader
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling
from safety_core.model.spec import read_spec
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.model.vision.tower import VisionFeatures


@dataclass(frozen=True, slots=True)
class Cost:
    """The duration of a part, and its processor time."""

    seconds: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class BareParts:
    """A handle of the process."""

    process: "subprocess.Popen[str]"
    checkpoint: Path

    def measure(self, part: str, picture: Path, prompt: str, tokens: int = 0) -> Cost:
        """Run a part once."""
        if part == "load":
            return self._measure_load()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"part": part, "picture": str(picture), "prompt": prompt, "tokens": tokens}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        return Cost(**json.loads(self.process.stdout.readline()))

    def _measure_load(self) -> Cost:
        """Start another process, which ends at the end of its empty input."""
        begun = time.perf_counter()
        with psutil.Popen(
            _build_command(self.checkpoint), cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            cpu_s = 0.0
            while process.poll() is None:
                times = process.cpu_times()
                cpu_s = float(times.user + times.system)
                time.sleep(0.02)
        return Cost(time.perf_counter() - begun, cpu_s)


@contextmanager
def run_bare_parts(checkpoint: Path) -> Iterator[BareParts]:
    """Start the process, and end it at the end."""
    command = _build_command(checkpoint)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield BareParts(process, checkpoint)
        finally:
            process.terminate()


class _Parts:
    """The parts, loaded.

    Args:
        checkpoint: the directory.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.model: SafeLlava = load_checkpoint(checkpoint, device="cpu", allow_untrained=True)
        name = read_spec(checkpoint).reader
        self.reader = None if name is None else create_reader(name)

    def run(self, part: str, picture: Path, prompt: str, tokens: int) -> Cost:
        """Run one part and measure it."""
        steps = self._start_decoder(self._encode(picture)[0], prompt, tokens + 1).step if part == "tokens" else None
        begun, cpu = time.perf_counter(), time.process_time()
        if steps is not None:
            self._repeat(steps, tokens)
        else:
            vision = self._judge(picture, prompt)
            if part == "first":
                self._start_decoder(vision, prompt, 1)
        return Cost(time.perf_counter() - begun, time.process_time() - cpu)

    @staticmethod
    def _repeat(step: Callable[[], object], times: int) -> None:
        for _ in range(times):
            step()

    def _judge(self, picture: Path, prompt: str) -> VisionFeatures:
        vision, view = self._encode(picture)
        if self.reader is not None:
            self.reader.read(view)
        ids = self.model.prompts.encode_user_words([Turn(role="user", text=prompt)])
        with torch.inference_mode():
            safe_BMD = self.model.project_features(vision)
        self.model.score_samples(safe_BMD, [(0,)], [ids])
        return vision

    def _encode(self, picture: Path) -> tuple[VisionFeatures, Any]:
        view = decode_image(picture.read_bytes(), fill=get_pad_colour(self.model.image_processor)).views[0]
        return self.model.encode_images(self.model.preprocess([view])), view

    def _start_decoder(self, vision: VisionFeatures, prompt: str, tokens: int) -> Decoder:
        """Create a decoder and generate its first token."""
        encoded = self.model.prompts.encode([Turn(role="user", text=prompt)], 1)
        inputs = self.model.build_inputs([encoded], vision, [1])
        decoder = Decoder(self.model.backbone, inputs, Sampling(max_new_tokens=tokens), eos_ids=())
        decoder.step()
        return decoder


def _build_command(checkpoint: Path) -> list[str]:
    return [sys.executable, "-m", "bench.contenders.bare_parts", str(checkpoint)]


def main() -> None:
    """Process requests until the input ends."""
    parts = _Parts(Path(sys.argv[1]))
    for line in sys.stdin:
        asked = json.loads(line)
        cost = parts.run(asked["part"], Path(asked["picture"]), asked["prompt"], asked["tokens"])
        print(json.dumps({"seconds": cost.seconds, "cpu_s": cost.cpu_s}), flush=True)


if __name__ == "__main__":
    main()
