"""The contenders that are our own server, changed: they must be what their names say."""

from pathlib import Path

import pytest

from bench.contenders.altered_server import Unguarded
from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.policy.policy import Decision
from tests.helpers.engine.model_calls import count_model_calls
from tests.helpers.engine.policies import create_forced_policy
from tests.helpers.engine.requests import create_chat_request, create_guard_request
from tests.helpers.images.pictures import create_picture
from tests.helpers.models.reference import generate


@pytest.fixture
def unguarded(tiny_checkpoint: Path) -> Guard:
    loaded = load_guard(tiny_checkpoint, device="cpu")
    loaded.model.safety.llm_tokens_SD = None
    return Unguarded(loaded.model, create_forced_policy(Decision.ALLOWED))


def test_the_unguarded_server_runs_tower_and_language_model_and_no_head(
    unguarded: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unguarded.model, "project_features", lambda vision: pytest.fail("it was judged"))
    request = create_chat_request(create_picture())
    with count_model_calls(unguarded) as calls:
        reply = unguarded.answer(request)
        verdict = unguarded.assess(create_guard_request(create_picture("blue"), create_picture("red")))
    assert calls.pictures == [1, 2]
    assert verdict.verdict.decision is Decision.ALLOWED
    model = unguarded.model
    vision = model.encode_images(model.preprocess(list(request.images[0].views)))
    (expected,) = generate(
        model, [model.prompts.encode(request.turns, 1)], vision, [1], inject=False, max_new_tokens=request.max_tokens
    )
    assert reply.content == expected.text
    assert unguarded.check_canary() is None
