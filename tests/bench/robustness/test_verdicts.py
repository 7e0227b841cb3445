import pytest

from bench.paths import CHECKPOINT
from bench.robustness.suite_requests import SuiteRequest
from bench.robustness.verdicts import count_passed, count_spared
from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.nano.build.examples import EXAMPLES
from safety_core.nano.world.drawing import draw

WEAPON = EXAMPLES[1]


@pytest.fixture(scope="module")
def guard() -> Guard:
    return load_guard(CHECKPOINT, device="cpu")


@pytest.fixture(scope="module")
def request_() -> SuiteRequest:
    return SuiteRequest(picture=draw(WEAPON.scene), text=WEAPON.prompt, level=3)


def test_what_passes_is_counted(guard: Guard, request_: SuiteRequest) -> None:
    harmless = SuiteRequest(picture=draw(EXAMPLES[0].scene), text=EXAMPLES[0].prompt, level=3)
    cautioned = SuiteRequest(picture=request_.picture, text="What is in this picture?", level=1)
    found = count_passed(guard, [request_, harmless, cautioned])
    assert found.allowed.share == pytest.approx(1 / 3)
    assert found.not_refused.share == pytest.approx(1 / 2)
    assert (found.allowed.count, found.not_refused.count) == (3, 2)


def test_what_is_spared_is_counted(guard: Guard, request_: SuiteRequest) -> None:
    harmless = SuiteRequest(picture=draw(EXAMPLES[0].scene), text=EXAMPLES[0].prompt, level=0)
    cautioned = SuiteRequest(picture=request_.picture, text="What is in this picture?", level=0)
    found = count_spared(guard, [request_, harmless, cautioned])
    assert found.allowed.share == found.refused.share == pytest.approx(1 / 3)
    assert found.allowed.count == 3
