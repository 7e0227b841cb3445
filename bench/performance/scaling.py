"""Cost by number of clients, size of a picture, length of a prompt and number of pictures.

Cost is the server's processor time for all requests of a point. Between neighbouring points it grows with a power of
the axis; the figure is the largest of these powers.
"""

import math
import os
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from typing import Annotated

import typer
from PIL import Image

from bench.load.http_client import Request, run_closed_loop
from bench.load.servers import Server, run_safevlm_server
from bench.load.workload import REFUSED, SCENE, build_classification, build_form, create_unique_picture
from bench.reporting.estimates import Estimate, estimate_median
from bench.reporting.report import Bar, Plot, Series, report_measurement

Make = Callable[[int], Request]


def measure_scaling(
    rounds: Annotated[int, typer.Option(help="Number of measurements of every point.", min=3)] = 5,
    requests: Annotated[int, typer.Option(help="Requests of each point in a round.", min=2)] = 8,
) -> None:
    """Cost by clients, picture size, prompt length and number of pictures."""
    axes: dict[str, tuple[tuple[int, ...], Make]] = {
        "clients": ((1, 4, 16, 64), lambda clients: build_classification()),
        "megapixels": ((1, 4, 16), _create_sized_request),
        "prompt words": ((50, 100, 200, 400), _create_request_of_words),
        "pictures": ((1, 2, 4, 8), _create_request_of_pictures),
    }
    costs: dict[tuple[str, int], list[float]] = {}
    with run_safevlm_server(cache_mb=0, max_prompt_tokens=2048) as server:
        for number in range(rounds + 1):
            for axis, (points, make) in axes.items():
                for point in points:
                    cost = _measure_cost(server, axis, point, make, requests)
                    if number:  # the first is the warm-up
                        costs.setdefault((axis, point), []).append(cost)
    cost_of = {key: estimate_median(values) for key, values in costs.items()}
    powers = {
        axis: _fit_power(points, [cost_of[axis, point] for point in points]) for axis, (points, _) in axes.items()
    }
    report_measurement(
        "scaling",
        ("axis", "at", "CPU ms", "steepest power"),
        [
            (axis, point, cost_of[axis, point], powers[axis] if point == points[-1] else "")
            for axis, (points, _) in axes.items()
            for point in points
        ],
        figures={
            **{axis: {str(point): cost_of[axis, point] for point in points} for axis, (points, _) in axes.items()},
            "power": powers,
            "rounds": rounds,
        },
        bars=[Bar(f"power of {axis} (1 is linear)", power, at_most=1.1) for axis, power in powers.items()],
        plot=Plot(
            title="Processor time, as a multiple of the axis's first point",
            x="multiple of the first point",
            y="multiple of its cost",
            series=[
                Series(
                    axis,
                    [point / points[0] for point in points],
                    [cost_of[axis, point].median / cost_of[axis, points[0]].median for point in points],
                )
                for axis, (points, _) in axes.items()
            ],
            logarithmic=True,
        ),
    )


def _measure_cost(server: Server, axis: str, point: int, make: Make, requests: int) -> float:
    """Measure milliseconds of processor time: of one request, or of one request of each client."""
    clients = point if axis == "clients" else 1
    count = 2 * clients if axis == "clients" else requests
    asked = [make(point) for _ in range(count)]
    before = server.cpu_s
    answers = run_closed_loop(server.url, asked, clients=clients)
    used = 1e3 * (server.cpu_s - before)
    if any(answer.status != 200 for answer in answers):
        raise typer.BadParameter(f"{axis} {point}: a request failed")
    return used / (2 if axis == "clients" else count)


def _fit_power(points: tuple[int, ...], costs: list[Estimate]) -> float:
    """Find the largest power between neighbouring points; 1 is linear growth."""
    of = list(zip(points, (cost.median for cost in costs), strict=True))
    return max(math.log(after / before) / math.log(more / less) for (less, before), (more, after) in pairwise(of))


def _create_sized_request(megapixels: int) -> Request:
    side = int(1000 * math.sqrt(megapixels))
    buffer = BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert("RGB").save(buffer, "JPEG")
    return build_form("/v1/classify", [buffer.getvalue() + os.urandom(8)], prompt=REFUSED[1])


def _create_request_of_pictures(pictures: int) -> Request:
    return build_form("/v1/classify", [create_unique_picture(SCENE) for _ in range(pictures)], prompt=REFUSED[1])


def _create_request_of_words(words: int) -> Request:
    return build_form(
        "/v1/chat", [create_unique_picture(SCENE)], prompt="What do you see " * (words // 4), max_tokens=1
    )
