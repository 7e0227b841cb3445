"""The attack keeps its bounds and does what it is for, and what passes is counted."""

import numpy as np
import pytest
import torch

from bench import latency_leak
from bench.robustness import Request, attack, passed, spared, unsafety
from bench.servers import CHECKPOINT
from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.inputs.images.decoding import decode
from safety_core.inputs.prompts import Turn
from safety_core.nano.build.examples import EXAMPLES
from safety_core.nano.world.drawing import draw
from tests.helpers.images.encoding import encode_image

WEAPON = EXAMPLES[1]


@pytest.fixture(scope="module")
def guard() -> Guard:
    return load_guard(CHECKPOINT, device="cpu")


@pytest.fixture(scope="module")
def request_() -> Request:
    return Request(picture=draw(WEAPON.scene), text=WEAPON.prompt, level=3)


def test_the_attack_goes_by_what_the_guard_believes(guard: Guard, request_: Request) -> None:
    assert request_.picture is not None
    picture = decode(encode_image(request_.picture, "PNG"), fill=guard.info.pad_colour)
    found = guard.assess(GuardRequest(images=(picture,), turns=(Turn(role="user", text=request_.text),)))
    assert found.pair is not None
    levels = found.pair.per_image[0].levels
    values = torch.from_numpy(np.array(request_.picture)).permute(2, 0, 1)[None].float()
    log_odds = unsafety(guard.model, values, [request_.text]).detach()
    assert float(torch.sigmoid(log_odds)) == pytest.approx(sum(levels[1:]), abs=1e-4)


@pytest.mark.parametrize("distance", [2, 8])
def test_an_attacked_picture_is_near_and_less_suspicious(guard: Guard, request_: Request, distance: int) -> None:
    (moved,) = attack(guard.model, [request_], distance, steps=5)
    assert moved.picture is not None
    before, after = (np.asarray(one.picture, dtype=np.int64) for one in (request_, moved))
    assert 0 < np.abs(after - before).max() <= distance
    believed = [
        unsafety(guard.model, torch.from_numpy(pixels).permute(2, 0, 1)[None].float(), [request_.text]).item()
        for pixels in (before, after)
    ]
    assert believed[1] < believed[0]
    assert (moved.text, moved.level) == (request_.text, request_.level)


def test_what_passes_is_counted(guard: Guard, request_: Request) -> None:
    harmless = Request(picture=draw(EXAMPLES[0].scene), text=EXAMPLES[0].prompt, level=3)
    cautioned = Request(picture=request_.picture, text="What is in this picture?", level=1)
    found = passed(guard, [request_, harmless, cautioned])
    assert found.allowed.share == pytest.approx(1 / 3)
    assert found.not_refused.share == pytest.approx(1 / 2)
    assert (found.allowed.count, found.not_refused.count) == (3, 2)


def test_what_is_spared_is_counted(guard: Guard, request_: Request) -> None:
    harmless = Request(picture=draw(EXAMPLES[0].scene), text=EXAMPLES[0].prompt, level=0)
    cautioned = Request(picture=request_.picture, text="What is in this picture?", level=0)
    found = spared(guard, [request_, harmless, cautioned])
    assert found.allowed.share == found.refused.share == pytest.approx(1 / 3)
    assert found.allowed.count == 3


def test_order_is_a_guess_where_times_are_alike_and_certain_where_they_are_apart() -> None:
    alike = latency_leak.order([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0])
    assert alike["auc"] == 0.5
    assert alike["low"] < 0.5 < alike["high"]
    assert latency_leak.order([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])["auc"] == 1
    assert latency_leak.order([1.0, 2.0, 3.0], [5.0, 6.0, 7.0])["auc"] == 0
