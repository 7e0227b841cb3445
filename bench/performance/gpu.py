"""Cost of the guard at a real model's size: guarded and unguarded passes, prefill and decoding separately.

Weights are random, because the cost of a pass does not depend on them. The bytes and operations per second of the
device are measured in the same run, and every pass is compared with them.
Shapes: B requests at a time · N image patches · S safety tokens · T positions of a prompt.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import typer
from PIL import Image

from bench.paths import RESULTS, ROOT
from bench.performance.random_models import SHAPES, create_random_model
from bench.reporting.estimates import Estimate, estimate_median, estimate_ratio
from bench.reporting.report import Bar, report_measurement
from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.sequences import GenerationRequest, ReplySequence
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.judging.model_input import ModelInput
from safety_core.engine.judging.scorer import Scorer
from safety_core.engine.messages import GuardRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.model.device import pick_device
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.policy import Policy

BATCHES = (1, 8, 32)
QUESTION = "What do you see in this picture, and what should I know about it before I go there with my family?"
WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """Speed of the device: of copies, and of matrix products."""

    bytes_per_s: float
    flops_per_s: float


class ModelRuns:
    """Runs parts of one model.

    Args:
        model: the model.
        device: of the model.
        tokens: number of tokens of each reply.
    """

    def __init__(self, model: SafeLlava, device: torch.device, tokens: int) -> None:
        self.model = model
        self.device = device
        self.tokens = tokens
        self.guard = Guard(
            model,
            Policy.create_default(model.taxonomy),
            limits=GuardLimits(max_batch=max(BATCHES), max_replies=max(BATCHES)),
        )
        model.safety.to(device)

    def measure_seconds(self, work: Callable[[], object]) -> float:
        """Measure the seconds until the device has finished some work."""
        self._wait()
        begun = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - begun

    def create_requests(self, batch: int) -> list[ModelInput]:
        """Create a batch of requests with different pictures."""
        made = []
        for number in range(batch):
            vision: Any = self.model.backbone.config.vision_config
            side = vision.image_size
            image = Image.linear_gradient("L").resize((side, side)).convert("RGB").rotate(number)
            decoded = DecodedImage(views=(image,), sha256=str(number), width=side, height=side)
            made.append(self.guard.prepare(GuardRequest(images=(decoded,), turns=(Turn(role="user", text=QUESTION),))))
        return made

    def encode_pictures(self, requests: list[ModelInput], extra: int = 0) -> list[VisionFeatures]:
        """Run the tower: as many image positions as patches, and ``extra`` more."""
        with torch.inference_mode():
            vision, rows_of = Scorer(self.model, max_batch=max(BATCHES)).encode_views(requests)
        assert vision is not None
        shown = [vision[rows].projected_BPD for rows in rows_of]
        return [VisionFeatures((), torch.cat([one[:, :extra], one], dim=1)) for one in shown]

    def create_sequences(
        self, generator: Generator, pictures: list[VisionFeatures], *, inject: bool
    ) -> list[ReplySequence]:
        """Create sequences that do not run yet."""
        prompt = self.model.prompts.encode([Turn(role="user", text=QUESTION)], 1)
        sampling = Sampling(max_new_tokens=self.tokens)
        return [
            generator.create_sequence(GenerationRequest(prompt=prompt, images=one, inject=inject, sampling=sampling))
            for one in pictures
        ]

    def create_generator(self) -> Generator:
        """A generator whose replies do not end before their limit."""
        return Generator(self.model, max_replies=max(BATCHES), kv_positions=1 << 20, eos_ids=())

    def measure_limits(self) -> Limits:
        """Measure the speed of the device."""
        cpu = self.device.type == "cpu"
        dtype = self.model.backbone.dtype
        large = torch.empty((1 << 26) if cpu else (1 << 30), dtype=torch.uint8, device=self.device)
        target = torch.empty_like(large)
        side = 1024 if cpu else 8192
        left, right = (torch.randn(side, side, device=self.device, dtype=dtype) for _ in range(2))
        copied = min(self.measure_seconds(lambda: target.copy_(large)) for _ in range(10))
        product = min(self.measure_seconds(lambda: left @ right) for _ in range(10))
        return Limits(bytes_per_s=2 * large.nbytes / copied, flops_per_s=2 * side**3 / product)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def measure_gpu(
    shapes: Annotated[str, typer.Option(help=f"One of {', '.join(SHAPES)}.")] = "7b",
    device: Annotated[str, typer.Option(help="auto, cuda or cpu.")] = "auto",
    dtype: Annotated[str, typer.Option(help="bfloat16, float16 or float32.")] = "bfloat16",
    rounds: Annotated[int, typer.Option(help="Number of rounds.", min=3)] = 10,
    tokens: Annotated[int, typer.Option(help="Tokens of each reply.", min=2)] = 32,
) -> None:
    """Guarded against unguarded at a real model's shapes, compared with the speed of the device."""
    chosen = pick_device(device)
    runs = ModelRuns(create_random_model(SHAPES[shapes], chosen, getattr(torch, dtype)), chosen, tokens)
    limits = runs.measure_limits()
    rows: list[tuple[object, ...]] = []
    figures: dict[str, object] = {
        "shapes": shapes,
        "device": torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else "cpu",
        "dtype": dtype,
        "gigabytes_per_s": limits.bytes_per_s / 1e9,
        "teraflops": limits.flops_per_s / 1e12,
    }
    bars: list[Bar] = []
    for batch in BATCHES:
        of = _measure_batch(runs, batch, rounds, limits)
        figures[f"batch {batch}"] = of
        rows += [(batch, name, value) for name, value in of.items()]
        first, speed = of["first_token_ratio"], of["decode_ratio"]
        bars += [
            Bar(f"batch {batch}: time to first token / unguarded of as many positions", first.median, at_most=1.03),
            Bar(f"batch {batch}: tokens/s / unguarded", speed.median, at_least=0.97),
        ]
    if chosen.type == "cuda":
        figures["peak_memory_gb"] = torch.cuda.max_memory_allocated(chosen) / 1e9
    folder = RESULTS if shapes != "tiny" else ROOT / "build" / "bench"
    report_measurement("gpu", ("batch", "figure", "value"), rows, figures=figures, bars=bars, folder=folder)


def _measure_batch(runs: ModelRuns, batch: int, rounds: int, limits: Limits) -> dict[str, Estimate]:
    """Measure every pass of a batch; contenders take turns."""
    model, requests = runs.model, runs.create_requests(batch)
    tokens_S = model.config.num_safety_tokens
    plain, longer = runs.encode_pictures(requests), runs.encode_pictures(requests, extra=tokens_S)
    times: dict[str, list[float]] = {}

    def note(name: str, work: Callable[[], object], number: int) -> None:
        taken = runs.measure_seconds(work)
        if number >= WARM_UP:
            times.setdefault(name, []).append(taken)

    for number in range(rounds + WARM_UP):
        note("tower", lambda: runs.encode_pictures(requests), number)
        note("guard", lambda: runs.guard.judge(requests), number)
        for name, pictures, inject in (
            ("guarded", plain, True),
            ("unguarded", plain, False),
            ("as long", longer, False),
        ):
            generator = runs.create_generator()
            joining = runs.create_sequences(generator, pictures, inject=inject)
            note(f"prefill {name}", lambda: generator.admit(joining), number)  # noqa: B023
            steps = runs.tokens - 2
            note(f"decode {name}", lambda: [generator.step() for _ in range(steps)], number)  # noqa: B023
    first = {
        "guarded": [a + b for a, b in zip(times["guard"], times["prefill guarded"], strict=True)],
        "as long": [a + b for a, b in zip(times["tower"], times["prefill as long"], strict=True)],
    }
    positions = len(model.prompts.encode([Turn(role="user", text=QUESTION)], 1).input_ids) + model.positions_per_image
    return {
        **{f"{name}_ms": estimate_median([1e3 * one for one in values]) for name, values in times.items()},
        "first_token_ratio": estimate_ratio(first["guarded"], first["as long"]),
        "decode_ratio": estimate_ratio(times["decode unguarded"], times["decode guarded"]),
        "decode_tokens_per_s": estimate_median([batch * (runs.tokens - 2) / one for one in times["decode guarded"]]),
        "prefill_share_of_flops": estimate_median(
            [
                _count_prefill_flops(model, batch, positions) / one / limits.flops_per_s
                for one in times["prefill guarded"]
            ]
        ),
        "decode_share_of_bandwidth": estimate_median(
            [
                (runs.tokens - 2) * _count_step_bytes(model, batch, positions) / one / limits.bytes_per_s
                for one in times["decode guarded"]
            ]
        ),
    }


def _count_prefill_flops(model: SafeLlava, batch: int, positions: int) -> float:
    """Count two operations for each weight and position; attention between positions is omitted."""
    weights: int = sum(one.numel() for one in model.backbone.model.language_model.layers.parameters())
    return 2.0 * weights * batch * positions


def _count_step_bytes(model: SafeLlava, batch: int, positions: int) -> float:
    """Count the bytes that one decoding step must read: all weights once, and the keys and values of every reply."""
    layers = model.backbone.model.language_model.layers
    weights = sum(one.nbytes for one in layers.parameters()) + model.backbone.lm_head.weight.nbytes
    text: Any = model.backbone.config.text_config
    per_position: int = 2 * len(layers) * text.num_key_value_heads * text.head_dim * model.backbone.dtype.itemsize
    return float(weights + batch * positions * per_position)
