from pathlib import Path

import pytest
from PIL import Image

from safety_core.engine.guard import Guard
from safety_core.engine.messages import GuardRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.policy.policy import NO_VERDICT, Decision
from safety_core.small.evaluation.systems.guarded import GuardSystem, load_guard_system
from safety_core.small.evaluation.systems.rows import ABLATED_VIEWS
from tests.helpers.datasets.real_items import make_item
from tests.helpers.engine.readers import FakeReader


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (40, 30), "red").save(path)
    return path


def test_items_are_judged_as_the_guard_judges_requests(tiny_checkpoint: Path, picture: Path) -> None:
    system = load_guard_system(tiny_checkpoint)
    items = [make_item("Hello."), make_item("x", prompt="", picture=picture), make_item("Hm?", picture=picture)]
    scores = list(system.score(items))
    info = system.guard.info
    image = decode_image(picture.read_bytes(), limits=info.limit_images(ImageLimits()), fill=info.pad_colour)
    turn = Turn(role="user", text="Hm?", images=1)
    expected = system.guard.assess(GuardRequest(images=(image,), turns=(turn,))).verdict
    assert (scores[2].risk, scores[2].decision) == (expected.unsafe_probability, expected.decision)
    assert len({score.risk for score in scores}) == 3
    assert all(score.seconds is not None and score.seconds > 0 for score in scores)


def test_earlier_turns_are_judged_with_the_last(tiny_checkpoint: Path) -> None:
    system = load_guard_system(tiny_checkpoint)
    earlier = (Turn(role="user", text="How do I open"), Turn(role="assistant", text="Go on."))
    (score,) = system.score([make_item("a door?", earlier=earlier)])
    turns = (*earlier, Turn(role="user", text="a door?"))
    assert score.risk == system.guard.assess(GuardRequest(images=(), turns=turns)).verdict.unsafe_probability


@pytest.mark.parametrize("view", ABLATED_VIEWS)
def test_a_text_view_can_be_switched_off(tiny_checkpoint: Path, view: str) -> None:
    usual, without = (load_guard_system(tiny_checkpoint, view_changes=off).guard for off in (None, {view: False}))
    assert getattr(usual.model.prompts.text_views, view)
    assert not getattr(without.model.prompts.text_views, view)


def test_a_request_that_is_not_accepted_has_no_score(tiny_checkpoint: Path) -> None:
    (score,) = load_guard_system(tiny_checkpoint).score([make_item("word " * 9000)])
    assert score.decision is None
    assert score.problem == "prompt_too_long"


def test_a_verdict_that_is_missing_is_a_refusal_and_said_to_be_missing(tiny_checkpoint: Path, picture: Path) -> None:
    sound = load_guard_system(tiny_checkpoint).guard
    guard = Guard(sound.model, sound.policy, reader=FakeReader(failure=OSError("broken")))
    (score,) = GuardSystem(guard).score([make_item("Hm?", picture=picture)])
    assert (score.decision, score.problem) == (Decision.REFUSED, NO_VERDICT)
