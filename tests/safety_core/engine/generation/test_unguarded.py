"""Unguarded replies beside guarded ones: what transformers would reply, and nothing that the guard would notice."""

from pathlib import Path
from typing import Any

import pytest
import torch

from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.unguarded import ComparedGenerator, UnguardedRequest
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.engine.messages import ChatRequest
from safety_core.engine.protocols import ReplySequenceLike
from safety_core.errors import GenerationError, PromptError
from safety_core.inputs.conversation import Turn
from safety_core.model.checkpoint.backbone import load_backbone
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR
from safety_core.policy.policy import Decision
from tests.helpers.engine.policies import create_forced_policy
from tests.helpers.engine.requests import create_chat_request
from tests.helpers.images.pictures import create_picture, create_transparent_picture
from tests.helpers.models.reference import generate_unmodified

CONVERSATION = (
    Turn(role="user", text="What is it?", images=1),
    Turn(role="assistant", text="A knife."),
    Turn(role="user", text="And this?", images=1),
)


@pytest.fixture(scope="module")
def guard(adapted_checkpoint: Path) -> Guard:
    limits = GuardLimits(max_replies=3, reply_window=4, max_prompt_tokens=60)
    loaded = load_guard(adapted_checkpoint, device="cpu", limits=limits, compare=True)
    loaded.policy = create_forced_policy(Decision.ALLOWED)
    return loaded


def create_generator(guard: Guard) -> ComparedGenerator:
    generator = guard.create_generator()
    assert isinstance(generator, ComparedGenerator)
    return generator


def create_guarded(guard: Guard, generator: ComparedGenerator, request: ChatRequest) -> ReplySequenceLike:
    (judged,) = guard.judge([guard.prepare(request)])
    assert not isinstance(judged, Exception)
    return generator.create_sequence(guard.create_generation_request(judged, request))


def run(generator: ComparedGenerator, *sequences: ReplySequenceLike) -> None:
    generator.admit(sequences)
    while generator.running:
        generator.step()


# --- the same as the unmodified backbone ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chat",
    [
        create_chat_request(max_tokens=12),
        create_chat_request(create_picture(), max_tokens=12),
        create_chat_request(create_picture("blue"), create_picture("red"), text="Read the text.", max_tokens=12),
        ChatRequest(images=(create_picture("red"), create_picture("blue")), turns=CONVERSATION, max_tokens=12),
    ],
    ids=["words", "picture", "two pictures", "conversation"],
)
def test_a_reply_is_that_of_the_unmodified_backbone(guard: Guard, adapted_checkpoint: Path, chat: ChatRequest) -> None:
    generator = create_generator(guard)
    prepared = guard.create_unguarded_request(chat)
    sequence = generator.create_sequence(prepared)
    run(generator, sequence)
    pixels = None if prepared.pixels_ICHW is None else torch.from_numpy(prepared.pixels_ICHW)
    expected = generate_unmodified(
        load_backbone(adapted_checkpoint / BACKBONE_DIR).model, guard.model, prepared.prompt, pixels, max_new_tokens=12
    )
    assert sequence.failure is None
    assert list(sequence.token_ids) == expected
    assert sequence.text


def test_a_guarded_reply_is_the_same_with_and_without_an_unguarded_one_beside_it(
    guard: Guard, adapted_checkpoint: Path
) -> None:
    request = create_chat_request(create_picture(), max_tokens=12)
    alone = load_guard(adapted_checkpoint, device="cpu", limits=guard.limits)
    alone.policy = guard.policy
    expected = alone.answer(request)
    generator = create_generator(guard)
    guarded = create_guarded(guard, generator, request)
    unguarded = generator.create_sequence(guard.create_unguarded_request(request))
    run(generator, guarded, unguarded)
    assert guarded.text == expected.content
    assert guarded.text != unguarded.text
    assert guarded.prompt_positions > unguarded.prompt_positions, "it has safety tokens"


def test_a_transparent_picture_is_shown_in_its_first_view(guard: Guard) -> None:
    picture = create_transparent_picture()
    prepared = guard.create_unguarded_request(create_chat_request(picture))
    assert prepared.pixels_ICHW is not None
    assert (prepared.pixels_ICHW == guard.model.preprocess_numpy([picture.views[0]])).all()


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("picture " * 100, {}, "prompt_too_long"),
        ("x" * 10_000, {}, "prompt_too_long"),
        ("Hi", {"temperature": -1.0}, "out_of_range"),
    ],
)
def test_it_is_bounded_like_a_judged_chat(guard: Guard, text: str, options: dict[str, Any], code: str) -> None:
    request = create_chat_request(text=text, **options)
    with pytest.raises(PromptError) as judged:
        guard.prepare(request)
    with pytest.raises(PromptError) as unguarded:
        guard.create_unguarded_request(request)
    assert unguarded.value.code == judged.value.code == code


def test_a_prompt_that_fills_the_context_is_rejected_before_the_model_sees_its_images(guard: Guard) -> None:
    pictures = [create_picture() for _ in range(32)]
    with pytest.raises(PromptError, match="no room for a reply"):
        guard.create_unguarded_request(create_chat_request(*pictures))


def test_both_kinds_share_the_places(guard: Guard) -> None:
    generator = create_generator(guard)
    request = create_chat_request(max_tokens=40)
    sequences = [generator.create_sequence(guard.create_unguarded_request(request)) for _ in range(2)]
    sequences.append(create_guarded(guard, generator, request))
    assert generator.fits(sequences)
    generator.admit(sequences)
    assert generator.running == 3
    assert not generator.fits([generator.create_sequence(guard.create_unguarded_request(request))])
    assert not generator.fits([create_guarded(guard, generator, request)])
    for sequence in sequences:
        generator.drop(sequence)
    assert generator.running == 0
    assert generator.fits(sequences[:1])


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_broken_bare_model_ends_its_own_replies_and_no_other(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = create_generator(guard)
    request = create_chat_request(max_tokens=6)
    guarded = create_guarded(guard, generator, request)
    unguarded = generator.create_sequence(guard.create_unguarded_request(request))
    generator.admit([guarded, unguarded])
    inner = generator._unguarded

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the bare model is broken")

    monkeypatch.setattr(inner, "_decode", fail)
    outputs = generator.step()
    assert {id(output.sequence) for output in outputs} == {id(guarded), id(unguarded)}
    assert isinstance(unguarded.failure, GenerationError)
    assert (inner.running, guarded.failure) == (0, None)
    while generator.running:
        generator.step()
    assert guarded.text


def test_a_guard_that_does_not_compare_has_a_plain_generator(adapted_checkpoint: Path) -> None:
    assert isinstance(load_guard(adapted_checkpoint, device="cpu").create_generator(), Generator)


def test_a_request_has_no_safety_tokens_and_no_policy(guard: Guard) -> None:
    prepared = guard.create_unguarded_request(create_chat_request(create_picture()))
    assert isinstance(prepared, UnguardedRequest)
    assert (prepared.inject, prepared.policy) == (False, None)
