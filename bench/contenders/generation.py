"""Three ways to generate many replies with one model, each in its own process: ``sequential``, ``paged`` and ``own``.

The process reads one JSON object per line, ``{"replies", "tokens", "poison"}``, and answers each with ``{"seconds",
"tokens_of"}``: the time for all replies, and the tokens of each reply. With ``poison``, the first prompt contains a
number that is not finite.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.contenders.paged import PagedGenerator
from bench.contenders.reference import generate
from bench.load.workload import SCENE, WEAPON, read_picture
from bench.paths import CHECKPOINT, ROOT
from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.sequences import GenerationRequest
from safety_core.errors import GenerationError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.model.vision.tower import VisionFeatures

Made = list[list[int]]


@dataclass(frozen=True, slots=True)
class Contender:
    """A handle of one of the processes."""

    process: "subprocess.Popen[str]"

    def generate(self, replies: int, tokens: int, *, poison: bool = False) -> dict[str, Any]:
        """Generate a number of replies of a number of tokens."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"replies": replies, "tokens": tokens, "poison": poison}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def run_contender(name: str) -> Iterator[Contender]:
    """Start a process that generates in one of the three ways, and end it at the end."""
    command = [sys.executable, "-m", "bench.contenders.generation", name]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield Contender(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)


def create_jobs(model: SafeLlava, replies: int, tokens: int, *, poison: bool) -> list[GenerationRequest]:
    """Create questions about one or two pictures, all different."""
    fill = get_pad_colour(model.image_processor)
    views = [decode_image(read_picture(name), fill=fill).views[0] for name in (SCENE, WEAPON)]
    seen = model.encode_images(model.preprocess(views))
    made = []
    for number in range(replies):
        shown = [number % 2] if number % 5 else [0, 1]
        turns = [Turn(role="user", text=f"What do you see here, for the {number + 1}th time?")]
        pictures = seen[shown]
        if poison and not number:
            projected = pictures.projected_BPD.clone()
            projected[0, 0, 0] = float("nan")
            pictures = VisionFeatures((), projected)
        prompt = model.prompts.encode(turns, len(shown))
        made.append(GenerationRequest(prompt=prompt, images=pictures, sampling=Sampling(max_new_tokens=tokens)))
    return made


def generate_sequentially(model: SafeLlava, jobs: Sequence[GenerationRequest]) -> Made:
    """Generate with the reference path, one reply after another."""
    made: Made = []
    for job in jobs:
        pictures = job.images
        assert pictures is not None
        try:
            (reply,) = generate(
                model, [job.prompt], pictures, [len(pictures)], eos_ids=(), max_new_tokens=job.sampling.max_new_tokens
            )
            made.append(list(reply.token_ids))
        except GenerationError:
            made.append([])
    return made


def generate_with_engine(model: SafeLlava, jobs: Sequence[GenerationRequest]) -> Made:
    """Generate with the engine's generator."""
    generator = Generator(model, max_replies=32, eos_ids=())
    rows = [generator.create_sequence(job) for job in jobs]
    generator.run(rows)
    return [list(row.token_ids) for row in rows]


def generate_paged(model: SafeLlava, jobs: Sequence[GenerationRequest]) -> Made:
    """Generate with transformers' continuous batching."""
    made: Made = [[] for _ in jobs]
    left = threading.Semaphore(0)
    with PagedGenerator(model, max_rows=32, ignore_eos=True) as generator:
        for tokens, job in zip(made, jobs, strict=True):
            generator.submit(
                _embed(model, job),
                max_new_tokens=job.sampling.max_new_tokens,
                on_token=tokens.append,
                on_done=left.release,
            )
        for _ in jobs:
            left.acquire()
    return made


@torch.inference_mode()
def _embed(model: SafeLlava, job: GenerationRequest) -> Tensor:
    assert job.images is not None
    (embeds_TD,) = model.embed([job.prompt], job.images, [len(job.images)], True)
    return embeds_TD


WAYS: dict[str, Callable[[SafeLlava, Sequence[GenerationRequest]], Made]] = {
    "sequential": generate_sequentially,
    "paged": generate_paged,
    "own": generate_with_engine,
}


def main() -> None:
    """Process requests until the input ends."""
    way = WAYS[sys.argv[1]]
    model = load_checkpoint(Path(CHECKPOINT)).eval()
    for line in sys.stdin:
        request = json.loads(line)
        jobs = create_jobs(model, request["replies"], request["tokens"], poison=request["poison"])
        begun = time.perf_counter()
        made = way(model, jobs)
        print(json.dumps({"seconds": time.perf_counter() - begun, "tokens_of": made}), flush=True)


if __name__ == "__main__":
    main()
