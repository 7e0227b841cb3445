"""Guards of the measurements differ from the product's exactly as their names say."""

from pathlib import Path

import pytest

from bench.contenders.altered_guards import EndlessGuard, UnguardedGuard
from bench.contenders.reference import generate
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.engine.messages import ChatRequest
from safety_core.engine.protocols import GuardLike, ReplySequenceLike
from safety_core.policy.policy import Decision
from tests.helpers.engine.model_calls import count_model_calls
from tests.helpers.engine.policies import create_forced_policy
from tests.helpers.engine.requests import create_chat_request, create_guard_request
from tests.helpers.images.pictures import create_picture


@pytest.fixture
def guard(tiny_checkpoint: Path) -> Guard:
    loaded = load_guard(tiny_checkpoint, device="cpu", limits=GuardLimits(reply_window=0))
    loaded.policy = create_forced_policy(Decision.ALLOWED)
    return loaded


def answer(guard: GuardLike, request: ChatRequest) -> ReplySequenceLike:
    """Judge a request and generate its reply, as the engine does."""
    (judged,) = guard.judge([guard.prepare(request)])
    assert not isinstance(judged, Exception)
    generator = guard.create_generator()
    sequence = generator.create_sequence(guard.create_generation_request(judged, request))
    generator.admit([sequence])
    while not sequence.done:
        generator.step()
    return sequence


def test_the_unguarded_server_runs_tower_and_language_model_and_no_head(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    unguarded = UnguardedGuard(guard)
    monkeypatch.setattr(guard.model, "project_features", lambda vision: pytest.fail("it was judged"))
    request = create_chat_request(create_picture())
    with count_model_calls(guard) as calls:
        reply = answer(unguarded, request)
        (judged,) = unguarded.judge(
            [unguarded.prepare(create_guard_request(create_picture("blue"), create_picture("red")))]
        )
    assert not isinstance(judged, Exception)
    assert calls.pictures == [1, 2]
    assert judged.verdict.verdict.decision is Decision.ALLOWED
    model = guard.model
    vision = model.encode_images(model.preprocess(list(request.images[0].views)))
    (expected,) = generate(
        model, [model.prompts.encode(request.turns, 1)], vision, [1], inject=False, max_new_tokens=request.max_tokens
    )
    assert reply.text == expected.text
    (judged,) = unguarded.judge([unguarded.prepare(unguarded.canary)])
    assert not isinstance(judged, Exception)
    assert unguarded.find_canary_failure(judged.verdict) is None


@pytest.mark.parametrize("window", [0, 4])
def test_endless_replies_have_as_many_visible_tokens_as_requested(tiny_checkpoint: Path, window: int) -> None:
    guard = load_guard(tiny_checkpoint, device="cpu", limits=GuardLimits(reply_window=window))
    guard.policy = create_forced_policy(Decision.CAUTIONED)
    reply = answer(EndlessGuard(guard, guard), create_chat_request(create_picture(), max_tokens=40))
    assert reply.failure is None
    assert (reply.finish_reason, len(reply.token_ids)) == ("length", 40)
    assert not set(reply.token_ids) & {*guard.model.tokenizer.all_special_ids, *guard.model.banned_ids}


def test_an_endless_reply_is_released_whatever_the_rail_decides(tiny_checkpoint: Path) -> None:
    guard = load_guard(tiny_checkpoint, device="cpu", limits=GuardLimits(reply_window=4))
    guard.policy = create_forced_policy(Decision.ALLOWED)
    (judged,) = guard.judge([guard.prepare(create_chat_request(create_picture(), max_tokens=12))])
    assert not isinstance(judged, Exception)
    guard.policy = create_forced_policy(Decision.REFUSED)
    request = create_chat_request(create_picture(), max_tokens=12)
    endless = EndlessGuard(guard, guard)
    generator = endless.create_generator()
    sequence = generator.create_sequence(endless.create_generation_request(judged, request))
    generator.admit([sequence])
    while not sequence.done:
        generator.step()
    assert (sequence.finish_reason, len(sequence.token_ids)) == ("length", 12)
