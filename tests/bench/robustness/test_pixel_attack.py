"""The attack keeps its bounds and lowers the risk that the head sees."""

import numpy as np
import pytest
import torch

from bench.paths import CHECKPOINT
from bench.robustness.pixel_attack import attack_pictures, compute_unsafety
from bench.robustness.suite_requests import SuiteRequest
from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.nano.build.examples import EXAMPLES
from safety_core.nano.world.drawing import draw
from tests.helpers.images.encoding import encode_image

WEAPON = EXAMPLES[1]


@pytest.fixture(scope="module")
def guard() -> Guard:
    return load_guard(CHECKPOINT, device="cpu")


@pytest.fixture(scope="module")
def request_() -> SuiteRequest:
    return SuiteRequest(picture=draw(WEAPON.scene), text=WEAPON.prompt, level=3)


def test_the_attack_goes_by_what_the_guard_believes(guard: Guard, request_: SuiteRequest) -> None:
    assert request_.picture is not None
    picture = decode_image(encode_image(request_.picture, "PNG"), fill=guard.info.pad_colour)
    found = guard.assess(GuardRequest(images=(picture,), turns=(Turn(role="user", text=request_.text),)))
    assert found.pair is not None
    levels = found.pair.per_image[0].levels
    values = torch.from_numpy(np.array(request_.picture)).permute(2, 0, 1)[None].float()
    log_odds = compute_unsafety(guard.model, values, [request_.text]).detach()
    assert float(torch.sigmoid(log_odds)) == pytest.approx(sum(levels[1:]), abs=1e-4)


@pytest.mark.parametrize("distance", [2, 8])
def test_an_attacked_picture_is_near_and_less_suspicious(guard: Guard, request_: SuiteRequest, distance: int) -> None:
    (moved,) = attack_pictures(guard.model, [request_], distance, steps=5)
    assert moved.picture is not None
    before, after = (np.asarray(one.picture, dtype=np.int64) for one in (request_, moved))
    assert 0 < np.abs(after - before).max() <= distance
    believed = [
        compute_unsafety(guard.model, torch.from_numpy(pixels).permute(2, 0, 1)[None].float(), [request_.text]).item()
        for pixels in (before, after)
    ]
    assert believed[1] < believed[0]
    assert (moved.text, moved.level) == (request_.text, request_.level)
