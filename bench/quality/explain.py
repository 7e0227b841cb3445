"""Accuracy of the heatmap: the pointing game (Zhang et al., IJCV 2018) on scenes with one risky thing.

The scenes are held out: backgrounds and positions that occur in no training picture, with harmless things beside the
risky one.
"""

from collections.abc import Sequence
from io import BytesIO
from random import Random
from typing import Annotated

import typer

from bench.paths import CHECKPOINT
from bench.reporting.report import Bar, report_measurement
from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.inputs.images.decoding import decode_image
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.scene import SIDE, Scene, compute_item_box
from safety_core.nano.world.things import RISKY_KINDS

BATCH = 16


def measure_explain(
    scenes: Annotated[int, typer.Option(help="Scenes of each kind of risky thing.", min=1)] = 100,
) -> None:
    """How often the hottest point of the heatmap lies inside the risky thing."""
    guard = load_guard(CHECKPOINT)
    hits = {kind: count_hits(guard, kind, scenes) for kind in RISKY_KINDS}
    share = {kind: found / scenes for kind, found in hits.items()}
    worst = min(share, key=lambda kind: share[kind])
    whole = sum(hits.values()) / (scenes * len(hits))
    report_measurement(
        "explain",
        ("risky thing", "hottest point inside", "scenes"),
        [*((kind, share[kind], scenes) for kind in share), ("all", whole, scenes * len(hits))],
        figures={"inside": share | {"all": whole}, "scenes_a_kind": scenes},
        bars=[
            Bar("hottest point inside the risky thing", whole, at_least=0.8),
            Bar(f"the same, worst kind ({worst})", share[worst], at_least=0.8),
        ],
    )


def count_hits(guard: Guard, kind: str, scenes: int) -> int:
    """Count held-out scenes with one thing of a kind where the hottest point is inside the box of that thing."""
    drawn = [sample_scene(Random(f"explain/{kind}/{index}"), kind, held_out=True).scene for index in range(scenes)]
    hits = 0
    for start in range(0, scenes, BATCH):
        batch = drawn[start : start + BATCH]
        judged = guard.score([guard.prepare(_create_request(guard, scene)) for scene in batch])
        hits += sum(_is_inside(scene, scored.pairs[0].heatmaps[0]) for scene, scored in zip(batch, judged, strict=True))
    return hits


def _is_inside(scene: Scene, heatmap: Sequence[Sequence[float]]) -> bool:
    """Whether the centre of the hottest cell is in the box of the scene's first thing."""
    _, row, column = max((heat, row, column) for row, cells in enumerate(heatmap) for column, heat in enumerate(cells))
    side = SIDE / len(heatmap)
    left, top, right, bottom = compute_item_box(scene.items[0])
    return left <= (column + 0.5) * side <= right and top <= (row + 0.5) * side <= bottom


def _create_request(guard: Guard, scene: Scene) -> GuardRequest:
    buffer = BytesIO()
    draw(scene).save(buffer, "PNG")
    return GuardRequest(images=(decode_image(buffer.getvalue(), fill=guard.info.pad_colour),), heatmap=True)
